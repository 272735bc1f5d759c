-- each.lua - questions of one verb under one limit, each by itself.
--
-- ARGV: the time, the verb, the limit, a cost; then nothing, where that is asked once of each key;
-- or for each key what is asked of it, in order, as runs: TIMES WHOLE PART, joined by spaces.
-- KEYS: the names; after them, where the limit has a block, or for a reset, the names of the
-- blocks. Answer: the values as they were found, the tape, the time; or the time alone.
local A, verb = algorithm, word()
local L = limit(A)
local whole, part = word(), word()
if outside and verb ~= RESET then
    return {now}
end
local count, lists = #KEYS, {}
if L.block > 0 or verb == RESET then
    count = count / 2
end
for i = 1, A.list and count or 0 do
    lists[i] = true
end
found = found or fetch(lists)

local function serve(S, whole, part)
    if verb <= MEND then
        ask(L, S, whole, part, verb)
    elseif verb == REFUND then
        A.refund(L, S, whole, part)
        if A.list then
            A.step(L, S, 1, 0, PEEK)
        end
    else
        call('DEL', S.key, S.block_key)
    end
end

local function decide(i)
    local S = open(A, KEYS[i], found[i], KEYS[count + i], found[count + i])
    if not S then
        found[i] = -1
    else
        local runs = ARGV[at + i]
        if not runs then
            serve(S, whole, part)
        else
            for times, w, p in string.gmatch(runs, '(%d+) (%-?%d+) (%d+)') do
                for _ = 1, times + 0 do
                    serve(S, w + 0, p + 0)
                end
            end
        end
        close(A, S)
    end
end

for i = 1, count do
    if not left or left[i] then
        decide(i)
    end
end
for i = 1, #tape do
    found[#KEYS + i] = tape[i]
end
found[#KEYS + #tape + 1] = now
return found
