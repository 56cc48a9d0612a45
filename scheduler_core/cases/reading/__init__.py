"""From JSON to the core's nouns: one file per part of the form."""
