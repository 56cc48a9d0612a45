"""The witness's one door: POST /add-checkpoint, as C2SP's tlog-witness has it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from audit.errors import LogUnavailable
from audit.witness import MAX_REQUEST_BYTES, Witness

log = logging.getLogger("watchkeeper.witness")


def service(witness: Witness, now_s: Callable[[], int]) -> Starlette:
    """The application; `now_s` is asked for the time of each cosignature, in seconds since the epoch."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_REQUEST_BYTES:
                break
        try:
            answer = await run_in_threadpool(witness.add_checkpoint, body, now_s())
        except LogUnavailable as fault:
            log.error("nothing was cosigned: %s", fault)
            return PlainTextResponse("the witness cannot remember anything now; try again later\n", 503)
        log.info("%d %s", answer.status, answer.body.strip())
        return Response(answer.body, answer.status, headers={"content-type": answer.content_type})

    return Starlette(routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"])])
