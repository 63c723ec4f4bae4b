-- FENCE: announces a committed change. A row that was read before the change must not be stored after it.
-- KEYS: the value, and its guard. ARGV: fence (milliseconds).
-- DEL first: a full Redis refuses a script that begins with a write that needs memory, but not one that has already written.
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], '-', 'PX', ARGV[1])
return 1
