-- BEAT: a heartbeat on a primary of a Cluster: writes this node's own key, which the node then reads back over its tracked connection. Or a guard, of a
-- fence that is made in two halves.
-- KEYS: that key. ARGV: 1 what no other write has written, 2 how long it stays, in milliseconds.
-- It begins with a write that needs no memory, as FENCE does: a Redis that is full takes it then. Not with DEL: in a slot that is being moved, a key that
-- is not there may not be made.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
