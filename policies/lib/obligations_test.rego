package watchkeeper.lib_test

notice_s(given) := notice if {
	notice := data.watchkeeper.lib.notice_s with input as given with data.limits as data.watchkeeper.examples.limits
}

test_the_owner_has_the_longest_of_what_was_said if {
	notice_s(data.watchkeeper.examples.reclaim) == 900
	notice_s(object.union(data.watchkeeper.examples.reclaim, {"proposal": {"notice_s": 901}})) == 901
}

test_what_is_given_back_comes_without_notice if notice_s(data.watchkeeper.examples.restore) == 0

test_other_actions_give_the_notice_that_they_promise if {
	notice_s(data.watchkeeper.examples.cordon) == 0
	promised := {"notice_s": 60}
	notice_s(data.watchkeeper.examples.cordon_with({"proposal": promised})) == 60
	back := object.union(promised, {"undoes": "inc-1/0"})
	notice_s(data.watchkeeper.examples.cordon_with({"proposal": back})) == 60
}
