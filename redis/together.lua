-- together.lua - groups of questions under any limits, each group taken whole or not at all:
-- weir_check_all in src/engine/engine.c.
--
-- ARGV: the time; how many names, and for each its algorithm, and which of KEYS is its block's (0:
-- none); how many limits, and for each its algorithm and words; then for each group how many
-- questions, and for each which name, which limit, whether it only looks (1), and its cost. KEYS:
-- the names, then those of blocks. Answer: as each.lua's.
local names, lists, kinds, blocks = word(), {}, {}, {}
for i = 1, names do
    kinds[i], blocks[i] = algorithms[word()], word()
    lists[i] = kinds[i].list
end
local limits = {}
for i = 1, word() do
    limits[i] = limit(algorithms[word()])
end
if outside then
    return {now}
end

found = fetch(lists)
local states = {}
for i = 1, names do
    local block = blocks[i] > 0 and blocks[i] or nil
    states[i] = open(kinds[i], KEYS[i], found[i], block and KEYS[block], block and found[block]) or
        false
    if not states[i] then
        found[i] = -1
    end
end

local function put(question, verb)
    if question.looks then
        verb = PEEK
    end
    return ask(question.L, question.S, question.whole, question.part, verb)
end

-- Looks at all; true where all would be admitted.
local function look(group)
    local passes = true
    for _, question in ipairs(group) do
        question.allowed = put(question, PEEK)
        passes = passes and question.allowed
    end
    return passes
end

local function give_back(question)
    if not question.looks then
        question.L.A.refund(question.L, question.S, question.whole, question.part)
    end
end

local function take(group)
    for i, question in ipairs(group) do
        if not put(question, CHECK) then
            for j = 1, i - 1 do
                give_back(group[j])
            end
            look(group)
            return
        end
    end
end

-- A denial may start its block; without one it only mends.
local function deny(group)
    for _, question in ipairs(group) do
        if not question.allowed then
            local starts = question.L.block > 0
            if put(question, starts and CHECK or MEND) and starts then
                give_back(question)
            end
        end
    end
end

while at < #ARGV do
    local group, ours = {}, true
    for i = 1, word() do
        local question = {S = states[word()], L = limits[word()], looks = word() == 1,
            whole = word(), part = word()}
        group[i] = question
        ours = ours and question.S
    end
    if ours then
        if look(group) then
            take(group)
        else
            deny(group)
        end
    end
end

for i = 1, names do
    if states[i] then
        close(kinds[i], states[i])
    end
end
for i = 1, #tape do
    found[#KEYS + i] = tape[i]
end
found[#KEYS + #tape + 1] = now
return found
