package watchkeeper.guardrails.warranty_test

limits := data.watchkeeper.examples.with_limits({"warranty": {"label": "vendor", "vendors": ["acme"]}})

deny(given) := codes if {
	reasons := data.watchkeeper.guardrails.warranty.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

repair(vendor, operation) := object.union(data.watchkeeper.examples.repair, {
	"proposal": {"parameters": {"operation": operation}},
	"facts": {"target": {"labels": {"vendor": vendor}}},
})

test_what_a_vendor_repairs_nobody_else_opens if {
	every operation in ["reboot", "reset_gpu", "replace"] {
		deny(repair("acme", operation)) == {"warranty.vendor_repairs"}
	}
}

test_the_vendor_is_called_and_the_node_looked_at if {
	deny(repair("acme", "support")) == set()
	deny(repair("acme", "diagnose")) == set()
}

test_what_is_nobodys_is_repaired if {
	deny(repair("homemade", "reboot")) == set()
	deny(data.watchkeeper.examples.repair) == set()
}

test_other_actions_open_nothing if {
	cordoned := object.union(repair("acme", "reboot"), {"proposal": {"action": "cordon_node"}})
	deny(cordoned) == set()
}
