-- BEAT: a heartbeat on a primary of a Cluster: writes this node's own key, which the node then reads back over its tracked connection.
-- KEYS: that key. ARGV: 1 what no other write has written, 2 how long it stays, in milliseconds.
-- DEL first, as FENCE does: a Redis that is full takes it.
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
