-- head.lua - what every script begins with: names, and the time.
--
-- Read README.md first. Every number in a script is whole and below 2^53, so that a double holds it
-- exactly.
local call, try = redis.call, redis.pcall
local byte, find, format, match = string.byte, string.find, string.format, string.match
local ceil, fmod, max, min = math.ceil, math.fmod, math.max, math.min

-- The verbs, numbered as enum weir_verb. CHECK takes.
local CHECK, PEEK, MEND, REFUND, RESET = 0, 1, 2, 3, 4

local LAST_NUMBER = 9007199254740991
local LAST_TIME = 4503599627370496
-- How long a key outlives its state where the time is supplied: that clock may stand still, go
-- slower than the server's, or be set back.
local MARGIN = 60000000
local SLACK = 1000000

-- %d of Lua 5.1 is a C long, which has 32 bits on some servers; %.0f takes five times as long.
local D = format('%d', 4503599627370496) == '4503599627370496' and '%d' or '%.0f'

local supplied = ARGV[1] ~= ''
local now
if supplied then
    now = ARGV[1] + 0
else
    local time = call('TIME')
    now = time[1] * 1000000 + time[2]
end

-- Where quick.lua or quick-window.lua has begun: the values found, and which of the keys it left to others.
local found, left
