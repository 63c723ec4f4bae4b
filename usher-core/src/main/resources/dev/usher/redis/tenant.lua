-- TENANT: says in the register of a prefix that nodes of another register answer for it, too. KEYS[1] is the register of the prefix.
-- ARGV: the field of the mark, a name that no mark has had, and how long the mark is to stay (milliseconds).
-- A mark that is there stays as it is: its name tells how long the register has been there.
local isThere = redis.pcall('HEXISTS', KEYS[1], ARGV[1])
if isThere == 1 then return 0 end
if type(isThere) == 'table' then redis.call('DEL', KEYS[1]) end
-- HDEL first: a Redis that is full lets nothing begin that takes memory, but lets a script end that has begun to write.
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
