-- FENCE: after the commit of a change. What was read before it may not be stored after it.
-- ARGV: fence (milliseconds).
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], FENCE, 'PX', ARGV[1])
return 1
