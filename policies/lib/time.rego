# Moments and durations.
# Time is input, never read from a clock; a duration in the limits is written 30s, 15m, 1h30m or 7d.
package watchkeeper.lib

now_ns := time.parse_rfc3339_ns(input.now)

age_s(moment) := (now_ns - time.parse_rfc3339_ns(moment)) / 1000000000

seconds(duration) := to_number(trim_suffix(duration, "d")) * 86400 if {
	endswith(duration, "d")
} else := time.parse_duration_ns(duration) / 1000000000
