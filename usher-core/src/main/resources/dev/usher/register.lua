-- REGISTER: a node says that it is there, and what it has seen. KEYS[1] is the register, a hash with a field for each node.
-- KEYS[2] is the bell.
-- ARGV: node, the number of the last revocation that it has seen, in which epoch, how long it may answer after its last sign
-- of life (by facet), the life of an entry (milliseconds), and a name that no epoch has had.
-- Nodes that have not registered for that long are dropped. A register that has lost a node, or is new, is in a new epoch:
-- until all that may have been lost is past its bound, nobody takes it for complete. So is one with anything in it that no node has
-- written: what it says cannot be believed, and would stay.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life = tonumber(ARGV[5])
local function isOfAnotherType(answer)
  return type(answer) == 'table' and answer.err and string.find(answer.err, 'WRONGTYPE', 1, true)
end

local known = redis.pcall('HMGET', KEYS[1], '#epoch', '#revocations')
if isOfAnotherType(known) then redis.call('DEL', KEYS[1]) end
local bell = redis.pcall('STRLEN', KEYS[2])
if isOfAnotherType(bell) then redis.call('DEL', KEYS[2]) end
local epoch, revocations = known[1], known[2]
local lost = redis.call('HEXISTS', KEYS[1], '#epoch') == 0
if epoch and (#epoch > 100 or not string.match(epoch, '^[!-~][!-~]+$')) then lost = true end

-- HDEL first: a Redis that is full lets nothing begin that takes memory, but lets a script end that has begun to write.
redis.call('HDEL', KEYS[1], ARGV[1])
if revocations and (#revocations > 15 or not string.match(revocations, '^[1-9]%d*$')) then
  redis.call('HDEL', KEYS[1], '#revocations')
  lost = true
end
local register = redis.call('HGETALL', KEYS[1])
for i = 1, #register, 2 do
  local node = register[i]
  if string.sub(node, 1, 1) ~= '#' then
    local since = string.match(register[i + 1], '^%d+ (%d+)')
    if not since or math.abs(now - tonumber(since)) > life then
      redis.call('HDEL', KEYS[1], node)
      lost = true
    end
  end
end

if lost then redis.call('HSET', KEYS[1], '#epoch', ARGV[6]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. string.format(' %.0f ', now) .. ARGV[3] .. ' ' .. ARGV[4])
redis.call('PEXPIRE', KEYS[1], 100 * life)
return 1
