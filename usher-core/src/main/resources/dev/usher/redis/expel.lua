-- EXPEL: takes away the entries that have not changed since a moment which is long past for the calling node: such a node has closed its memory, and must
-- enter again. Its own key goes as well: a heartbeat that reads it counts no more.
-- ARGV: 1 the register, 2 the count of changes at that moment, 3 for how many milliseconds such a node has had no heartbeat that counts, at least, by the clock of
-- the calling node, 4 the longest limit of the calling node, in milliseconds: that of a node whose own key is gone (it expired, or was evicted), which says none.
-- Returns the nodes.
local id = register()
if id ~= ARGV[1] then return {} end
local gone = {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[2], 'LIMIT', 0, 100)) do
  if string.sub(node, 1, 1) ~= '#' then
    -- A node that may answer for longer without a heartbeat stays until then.
    local own = string.gsub(KEYS[5], '[^:]*$', '') .. node
    local said = redis.pcall('GET', own)
    local longest = type(said) == 'string' and 0 or tonumber(ARGV[4])
    if type(said) == 'string' then
      for limit in string.gmatch(said, '=(%d+)') do longest = math.max(longest, tonumber(limit)) end
    end
    if longest <= tonumber(ARGV[3]) then
      redis.call('ZREM', KEYS[3], node)
      redis.call('ZREM', KEYS[4], node)
      redis.call('DEL', own)
      redis.call('ZINCRBY', KEYS[4], 1, '#members')
      gone[#gone + 1] = node
    end
  end
end
return gone
