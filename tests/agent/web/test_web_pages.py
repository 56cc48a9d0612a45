"""The pages: what they show, that a form is taken from nobody but whom it was shown to, and that what strangers wrote
stays text."""

from typing import Any

import pytest

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.diagnosis import Evidence
from tests.agent.store.desk_world import request
from tests.agent.web.web_site import Form, WebSite

HOSTILE = (
    '</pre><script>document.title="owned"</script><img src=x onerror=alert(1)>\u202e\x1b]0;owned\x07&amp;"\'{{7*7}}'
)


def hostile(site: WebSite) -> ApprovalRequest:
    """Everything in it that somebody else could have written."""
    asked = request()
    links = [
        "javascript:alert(1)",
        "javascript://x.example/%0aalert(1)",
        "data:text/html,x",
        'https://ok.example/"onmouseover="x',
        HOSTILE,
    ]
    at = {"kind": "signal", "source": HOSTILE, "statement": HOSTILE, "observed_at": site.clock.now()}
    seen = [Evidence.model_validate({**at, "data": data}) for data in ({"links": links}, {})]
    changed: dict[str, Any] = {
        "statement": HOSTILE,
        "tenant": HOSTILE,
        "target": asked.proposal.target.model_copy(update={"name": HOSTILE}),
        "parameters": {HOSTILE: HOSTILE},
        "evidence": tuple(seen),
        "source": HOSTILE,
    }
    return asked.model_copy(update={"proposal": asked.proposal.model_copy(update=changed)})


def shown(site: WebSite, asked: ApprovalRequest, subject: str = "alice-1") -> Form:
    answer = site.http.get(f"/requests/{asked.id}", headers=site.as_(subject))
    assert answer.status_code == 200, answer.text
    page = Form()
    page.feed(answer.text)
    return page


# --- what it shows --------------------------------------------------------------------------------------------------


def test_a_page_has_what_a_person_needs(site: WebSite) -> None:
    asked = site.asks()
    text = shown(site, asked).text
    for said in (
        "May the agent do cordon_node on Node/gpu-3?",
        "+ spec.unschedulable: true",
        "by playbook:xid-79, 90% sure",
        "1 nodes: gpu-3",
        "autonomy.approval: A person must approve.",
        "What undo will do",
        "still wanted: 1 of gpu-oncall (alice, bob)",
        "expires",
        f"digest {asked.digest}",
        "alice (gpu-oncall)",
    ):
        assert said in text, said


def test_the_list_leads_to_it(site: WebSite) -> None:
    asked = site.asks()
    page = Form()
    page.feed(site.http.get("/requests", headers=site.as_()).text)
    assert ("a", "href", f"/requests/{asked.id}") in page.attributes and "cordon_node on Node/gpu-3" in page.text


# --- answering ------------------------------------------------------------------------------------------------------


def test_a_form_is_answered_and_leads_back_to_the_page(site: WebSite) -> None:
    asked = site.asks()
    answered = site.sends(asked, {**site.form(asked), "decision": "approve", "reason": "seen"})
    assert (answered.status_code, answered.headers["location"]) == (303, f"/requests/{asked.id}")
    page = shown(site, asked)
    assert "alice approved" in page.text and "seen" in page.text
    assert "Take back my yes" in page.text and page.tags.count("button") == 2, "and a no still ends it"
    taken = site.sends(asked, {**page.fields, "decision": "withdraw", "reason": "not yet"})
    assert taken.status_code == 303 and site.state(asked) is not RequestState.APPROVED


def test_a_no_without_a_reason_is_said_on_a_page(site: WebSite) -> None:
    asked = site.asks()
    refused = site.sends(asked, {**site.form(asked), "decision": "reject", "reason": " "})
    assert refused.status_code == 422 and "A rejection needs a reason." in refused.text
    assert "reason_missing" in refused.text and refused.headers["content-type"].startswith("text/html")
    assert site.sends(asked, {**site.form(asked), "decision": "reject", "reason": "no"}).status_code == 303
    assert site.state(asked) is RequestState.REJECTED


@pytest.mark.parametrize(
    "change",
    [
        {"seal": ""},
        {"seal": "0." + "0" * 64},
        {"seal": "999999999999999999999." + "0" * 64},
        {"seal": "é"},
        {"digest": "0" * 64},
    ],
)
def test_a_form_that_we_did_not_show_does_not_count(site: WebSite, change: dict[str, str]) -> None:
    asked = site.asks()
    refused = site.sends(asked, {**site.form(asked), "decision": "approve", "reason": "", **change})
    assert refused.status_code == 403 and "This form is not one that was shown to you" in refused.text
    assert site.state(asked) is RequestState.PENDING


def test_a_form_is_good_for_one_person_one_request_and_an_hour(site: WebSite) -> None:
    asked, other = site.asks(), site.asks(identity="inc-2/1")
    mine = {**site.form(asked), "decision": "approve", "reason": ""}
    assert site.sends(asked, mine, "bob-1").status_code == 403, "alice's form in bob's browser"
    assert site.sends(other, {**mine, "digest": other.digest}).status_code == 403
    site.clock.pass_by(seconds=3601)
    assert "shown too long ago" in site.sends(asked, mine).text
    site.clock.pass_by(seconds=-3602)
    assert site.sends(asked, mine).status_code == 403, "from a clock that went back"
    assert site.state(asked) is site.state(other) is RequestState.PENDING


@pytest.mark.parametrize("where", ["cross-site", "same-site", "nonsense"])
def test_what_the_browser_says_came_from_elsewhere_does_not_count(site: WebSite, where: str) -> None:
    asked = site.asks()
    fields = {**site.form(asked), "decision": "approve", "reason": ""}
    assert site.sends(asked, fields, **{"Sec-Fetch-Site": where}).status_code == 403
    assert site.state(asked) is RequestState.PENDING
    assert site.sends(asked, fields, **{"Sec-Fetch-Site": "same-origin"}).status_code == 303


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("", 400),
        ("decision=approve&decision=reject", 400),
        ("&".join(f"f{n}=1" for n in range(99)), 400),
        ("decision=%ff", 400),
        ("tier=x", 400),
        ("tier=0&decision=edit", 400),
        ("x" * 70_000, 413),
    ],
)
def test_what_is_no_form_of_ours(site: WebSite, content: str, status: int) -> None:
    asked = site.asks()
    headers = {**site.as_(), "Content-Type": "application/x-www-form-urlencoded"}
    refused = site.http.post(f"/requests/{asked.id}", content=content, headers=headers)
    assert refused.status_code == status, refused.text


# --- what strangers wrote -------------------------------------------------------------------------------------------


def test_what_strangers_wrote_stays_text(site: WebSite) -> None:
    asked = site.asks(hostile(site))
    page = shown(site, asked)
    plain = shown(site, site.asks(identity="inc-2/1"))
    assert set(page.tags) - {"a"} == set(plain.tags) - {"a"}, "no tag that is not the template's"
    assert [(tag, name) for tag, name, _ in page.attributes if name.startswith("on") or name == "src"] == []
    links = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    assert links == ["/requests", 'https://ok.example/"onmouseover="x']
    assert "49" not in page.text.split("</pre>")[0] and "{{7*7}}" in page.text
    assert all(c.isprintable() or c == "\n" for c in page.text)


def test_a_hostile_reason_and_a_hostile_list_stay_text(site: WebSite) -> None:
    asked = site.asks(hostile(site))
    site.sends(asked, {**site.form(asked), "decision": "approve", "reason": HOSTILE})
    assert "<script>" not in site.http.get(f"/requests/{asked.id}", headers=site.as_()).text
    site.asks(hostile(site), identity="inc-3/1")
    assert "<script>" not in site.http.get("/requests", headers=site.as_()).text


def test_no_other_site_can_load_frame_or_script_it(site: WebSite) -> None:
    asked = site.asks()
    for path in ("/requests", f"/requests/{asked.id}", "/requests/apr-none"):
        headers = site.http.get(path, headers=site.as_()).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script" not in policy
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"


def test_nothing_is_kept_in_a_cookie(site: WebSite) -> None:
    asked = site.asks()
    site.sends(asked, {**site.form(asked), "decision": "approve", "reason": ""})
    assert not site.http.cookies
