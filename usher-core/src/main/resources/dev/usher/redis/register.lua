-- REGISTER: writes a node's own key, which the node then reads back over its tracked connection, and its entry.
-- ARGV: 1 the node, 2 a mark that no other entry has had, or nothing: then that of the last entry that this
-- server has taken stays, 3 how long the node may answer from memory without heartbeats, by facet, 4 the register that
-- the node knows, 5 the history of this server, 6 the number that the node has seen in that register (-1 for none), 7 after which number it wants names (-1
-- for all), 8 whether a register of another history is to be replaced, 9 a new name for a register, 10 the field of this node's home, 11 how long a mark of a
-- home stays that is not extended, 12 how long an entry of a node of version 0.1 stays that is silent, 13 what listeners have ended, or nothing.
-- Returns ok, the register, its last number, the count of changes, whether the entry is new, the epoch of the marks, whether names are missing, and the
-- names, and how many entries there are. Otherwise: format or history, and which.
local id, history, number = named()
if not id and history then return {'format', history} end
if id and history ~= ARGV[5] and ARGV[8] == '0' then return {'history', history} end

local mark = ARGV[2]
if mark == '' then
  local own = redis.pcall('GET', KEYS[5])
  mark = type(own) == 'string' and string.match(own, '^(%S+) ') or '-'
end

-- Some checks are made with every eighth entry of a node, its first one included: each command costs a microsecond, and there may be a thousand a second.
local isThorough = tonumber(string.match(ARGV[2], '%d+$') or 1) % 8 == 1

-- Writes the entry, and returns whether it is new, and the count of changes; or nil, when not all of the register is there: without the set of entries, the
-- first entry is new and has no "#<register>" beside it, and without that of changes, the count begins at 1.
local function enter()
  local isNew = redis.pcall('ZADD', KEYS[3], id == ARGV[4] and ARGV[6] or '-1', ARGV[1])
  if isOfAnotherType(isNew) then return nil end
  if isRefused(isNew) then redis.call('ZADD', KEYS[3], '-1', ARGV[1]) end
  if isNew == 1 and not redis.call('ZSCORE', KEYS[3], '#' .. id) then return nil end
  local count = redis.pcall('ZINCRBY', KEYS[4], 1, '#')
  if isOfAnotherType(count) or count == '1' then return nil end
  if isRefused(count) then redis.call('ZINCRBY', KEYS[4], 1, '#') end
  redis.call('ZADD', KEYS[4], count, ARGV[1])
  if isNew == 1 then redis.call('ZINCRBY', KEYS[4], 1, '#members') end
  return isNew, tonumber(count)
end

-- A full Redis refuses a script that begins with a write that needs memory, but not one that has already written. Not DEL: in a slot that is being moved
-- to another primary, a key that is not there may not be made.
redis.call('PEXPIRE', KEYS[5], STAYS)
local isNew, count
if id and history == ARGV[5] then isNew, count = enter() end
if not count then
  begin(ARGV[9], ARGV[5])
  id, number = ARGV[9], 0
  isNew, count = enter()
end
redis.call('SET', KEYS[5], mark .. ' ' .. ARGV[3], 'PX', STAYS)
local isKnown = id == ARGV[4]
if ARGV[13] ~= '' then
  if isOfAnotherType(redis.pcall('HSET', KEYS[7], ARGV[1], ARGV[13])) then
    redis.call('DEL', KEYS[7])
    redis.call('HSET', KEYS[7], ARGV[1], ARGV[13])
  end
  redis.call('PEXPIRE', KEYS[7], NAMES_STAY)
end

-- The mark of this node's home: nodes of other homes that answer for this prefix must not overlook it. As in TENANT.
local marks = redis.pcall('HMGET', KEYS[2], '#epoch', ARGV[10])
if isOfAnotherType(marks) then
  redis.call('DEL', KEYS[2])
  marks = {false, false}
elseif isRefused(marks) then
  redis.call('HMGET', KEYS[2], '#epoch')
end
local epoch = marks[1]
local name, extended = string.match(marks[2] or '', '^(%S+) (%d+)$')
if isThorough or not epoch or not name then
  if redis.call('PTTL', KEYS[1]) < STAYS / 2 then
    redis.call('PEXPIRE', KEYS[1], STAYS)
    extend()
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local life = tonumber(ARGV[11])
  local isDue = not name or math.abs(now - tonumber(extended)) > life / 4
  local isShared = redis.call('HLEN', KEYS[2]) > 2
  if not epoch or isDue or isShared then
    local lost = not epoch or not name
    if epoch and (#epoch > 100 or not string.match(epoch, '^[!-~]+$')) then lost = true end
    local others = 0
    local fields = redis.call('HGETALL', KEYS[2])
    for i = 1, #fields, 2 do
      local field, value = fields[i], fields[i + 1]
      local since, longest
      if string.sub(field, 1, 6) == '#home:' then
        since, longest = string.match(value, '^%S+ (%d+)$'), life
      elseif string.sub(field, 1, 1) ~= '#' then
        since, longest = string.match(value, '^%d+ (%d+)'), tonumber(ARGV[12])
      end
      if longest and field ~= ARGV[10] and (not since or math.abs(now - tonumber(since)) > longest) then
        redis.call('HDEL', KEYS[2], field)
        lost = true
      elseif longest and field ~= ARGV[10] then
        others = others + 1
      end
    end
    if others == 0 then redis.call('HDEL', KEYS[2], '#revocations') end
    if lost then
      epoch = ARGV[9]
      redis.call('HSET', KEYS[2], '#epoch', epoch)
    end
    if isDue then
      redis.call('HSET', KEYS[2], ARGV[10], (name or ARGV[9]) .. string.format(' %.0f', now))
      redis.call('PEXPIRE', KEYS[2], ARGV[11])
    end
  end
end

local from, missing = tonumber(ARGV[7]), 0
local names = {}
local isNone = isNew == 1 or not isKnown or from < 0
if isNone or from < number then
  local kept = redis.pcall('LLEN', KEYS[6])
  if isRefused(kept) then redis.call('LLEN', KEYS[6]) end
  if isOfAnotherType(kept) or (isNone and kept >= NAMES) or (not isNone and number - from > kept) then missing = 1 end
  if isNone and not isOfAnotherType(kept) then
    names = redis.call('LRANGE', KEYS[6], 0, -1)
  elseif missing == 0 then
    names = redis.call('LRANGE', KEYS[6], from - number, -1)
  end
end
-- Beside the entries stands "#<register>", at infinity.
return {'ok', id, number, count, isNew, epoch, missing, names, redis.call('ZCOUNT', KEYS[3], '-inf', '(+inf')}
