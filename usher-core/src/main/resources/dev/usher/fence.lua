-- FENCE: after the commit of a change. What was read before it may not be stored after it.
-- ARGV: fence (milliseconds).
-- DEL first: a Redis that is full lets nothing begin that takes memory, but lets a script end that has begun to write.
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], FENCE, 'PX', ARGV[1])
return 1
