-- TENANT: says in the register of a prefix that nodes of another register answer for it, too. KEYS[1] is the register of the prefix.
-- ARGV: the field of the mark, a name that no mark has had, how long a mark stays that is not extended (milliseconds), and a new name for an
-- epoch.
-- A mark is its name and when it was last extended. The name stays as it is, for it tells how long the register has been there; so does a
-- mark that was extended a moment ago, so that nodes which share it write it once.
-- Marks and nodes that have been silent for that long are dropped, and a new epoch begins: as in REGISTER, which does the same.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life = tonumber(ARGV[3])
local register = redis.pcall('HGETALL', KEYS[1])
if register.err then
  if not string.find(register.err, 'WRONGTYPE', 1, true) then return register end
  redis.call('DEL', KEYS[1])
  register = {}
end

local function isOld(since)
  return not since or math.abs(now - tonumber(since)) > life
end

local name, extended
local silent = {}
for i = 1, #register, 2 do
  local field, value = register[i], register[i + 1]
  if field == ARGV[1] then
    name, extended = string.match(value, '^(%S+) (%d+)$')
  elseif string.sub(field, 1, 6) == '#home:' then
    if isOld(string.match(value, '^%S+ (%d+)$')) then silent[#silent + 1] = field end
  elseif string.sub(field, 1, 1) ~= '#' then
    if isOld(string.match(value, '^%d+ (%d+)')) then silent[#silent + 1] = field end
  end
end
if name and math.abs(now - tonumber(extended)) < life / 4 then return 0 end

-- HDEL first: a Redis that is full lets nothing begin that takes memory, but lets a script end that has begun to write.
redis.call('HDEL', KEYS[1], ARGV[1])
for _, field in ipairs(silent) do redis.call('HDEL', KEYS[1], field) end
if #silent > 0 then redis.call('HSET', KEYS[1], '#epoch', ARGV[4]) end
redis.call('HSET', KEYS[1], ARGV[1], (name or ARGV[2]) .. string.format(' %.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
