-- The common part of all scripts. KEYS[1] is the value, KEYS[2] its guard; both are in one slot.
-- The guard holds "-" for a fence, or "<token> <deadline>" for a claim. A deadline is in milliseconds of this server's
-- clock, which also decides when the guard expires: the two cannot disagree. A deadline that begins with 0 is that of an
-- awaited claim: another node has asked for the guard since it was granted.

local FENCE = '-'

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Returns the token of the claim in the guard, the milliseconds it has left and whether it is awaited, or nil. A claim past its
-- deadline counts as a fence, and so does a guard that cannot be parsed, or is longer than any that usher writes.
local function claim()
  local guard = redis.pcall('GET', KEYS[2])
  if type(guard) ~= 'string' or #guard > 1000 then return nil end
  local token, deadline = string.match(guard, '^(%S+) (%d+)$')
  if not token then return nil end
  local left = tonumber(deadline) - now()
  if left <= 0 then return nil end
  return token, left, string.sub(deadline, 1, 1) == '0'
end

-- As claim(), for a claim with another token. A claim that has more time left than a lease was not written by usher, or the clock has
-- been set back: it counts as a fence, too. A guard can be taken from a claim at any time, since the claimant's fill is then refused.
local function others(token, millis)
  local holder, left, awaited = claim()
  if holder == token or (holder and left > millis) then return nil end
  return holder, left, awaited
end

-- Writes a claim of the token into the guard, for a lease. The key outlives the lease by the TTL of a fence.
local function lease(token, millis, fence, awaited)
  local deadline = string.format(awaited and ' 0%.0f' or ' %.0f', now() + millis)
  redis.call('SET', KEYS[2], token .. deadline, 'PX', millis + fence)
end

local function store(value, ttl, fence)
  redis.call('SET', KEYS[1], value, 'PX', ttl)
  redis.call('SET', KEYS[2], FENCE, 'PX', fence)
end
