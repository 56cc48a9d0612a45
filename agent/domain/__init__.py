"""The nouns of Watchkeeper, frozen. No I/O, no clock, no client library: everything else may import this room."""
