-- REGISTER: a node registers itself with the last revocation that it has seen. KEYS[1] is the register, a hash with a field for each
-- node. KEYS[2] is the key of the revocation signal.
-- ARGV: node, the number of the last revocation that it has seen, the epoch of that revocation, how long the node may answer after its
-- last sign of life (by facet), the lifetime of a registration (milliseconds), a new name for an epoch, and how long a mark of TENANT stays
-- that is not extended (milliseconds).
-- Nodes that have not registered for that long are dropped. A register that has lost a node, or is new, begins a new epoch: no node
-- takes it for complete until the bound of every node that may have been lost has passed. The same holds for a register with data that
-- no node has written: such data cannot be believed, and would otherwise stay.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life = tonumber(ARGV[5])
local function isOfAnotherType(answer)
  return type(answer) == 'table' and answer.err and string.find(answer.err, 'WRONGTYPE', 1, true)
end

local known = redis.pcall('HMGET', KEYS[1], '#epoch', '#revocations')
if isOfAnotherType(known) then redis.call('DEL', KEYS[1]) end
local signal = redis.pcall('STRLEN', KEYS[2])
if isOfAnotherType(signal) then redis.call('DEL', KEYS[2]) end
local epoch, revocations = known[1], known[2]
local lost = redis.call('HEXISTS', KEYS[1], '#epoch') == 0
if epoch and (#epoch > 100 or not string.match(epoch, '^[!-~][!-~]+$')) then lost = true end

-- HDEL first: a full Redis refuses a script that begins with a write that needs memory, but not one that has already written.
redis.call('HDEL', KEYS[1], ARGV[1])
if revocations and (#revocations > 15 or not string.match(revocations, '^[1-9]%d*$')) then
  redis.call('HDEL', KEYS[1], '#revocations')
  lost = true
end
local register = redis.call('HGETALL', KEYS[1])
local stays = 100 * life
for i = 1, #register, 2 do
  local field, value = register[i], register[i + 1]
  local since, longest
  if string.sub(field, 1, 1) ~= '#' then
    since, longest = string.match(value, '^%d+ (%d+)'), life
  elseif string.sub(field, 1, 6) == '#home:' then
    since, longest = string.match(value, '^%S+ (%d+)$'), tonumber(ARGV[7])
  end
  if longest and (not since or math.abs(now - tonumber(since)) > longest) then
    redis.call('HDEL', KEYS[1], field)
    lost = true
  elseif longest and longest > stays then
    stays = longest -- a mark needs it
  end
end

if lost then redis.call('HSET', KEYS[1], '#epoch', ARGV[6]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. string.format(' %.0f ', now) .. ARGV[3] .. ' ' .. ARGV[4])
redis.call('PEXPIRE', KEYS[1], stays)
return 1
