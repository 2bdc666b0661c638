"""How good captions are: functions over texts and records. Knows nothing of suites or pages."""
