# Selectors of windows and freezes: a list of names, "*" for all.
package watchkeeper.lib

selects(selector, _) if "*" in selector

selects(selector, names) if {
	some name in names
	name in selector
}
