# fish completion for weir(1). test/system/cli_usage.py holds it to `weir COMMAND --help`.

set -l commands serve validate explain check limit reset refund stats top store bench demo help

complete -c weir -f
complete -c weir -n "not __fish_seen_subcommand_from $commands" -s V -l version -d 'Show the version'
complete -c weir -s h -l help -d 'Show a short help'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a serve -d 'Serve decisions over HTTP, RESP and gRPC'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a validate -d 'Say what is wrong with a configuration, and what it comes to'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a explain -d 'Say which rules of a configuration match a request, and why'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a check -d 'Ask whether requests may pass, and count them if so'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a limit -d 'Explain a limit in words, and draw what it does'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a reset -d 'Forget what keys have used'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a refund -d 'Give back what a request took that was then not made'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a stats -d 'Show how full a table is'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a top -d 'Show who is denied most, live'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a store -d "Say what is behind a store's URL"
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a bench -d 'Measure how many decisions a second this machine makes'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a demo -d 'Show what limits do: ten seconds, and a picture'
complete -c weir -n "not __fish_seen_subcommand_from $commands" -a help -d 'Show the help of a command'
complete -c weir -n '__fish_seen_subcommand_from help' -a 'serve validate explain check limit reset refund stats top store bench demo'

complete -c weir -n '__fish_seen_subcommand_from serve' -s c -l config -r -F -d 'The configuration'
complete -c weir -n '__fish_seen_subcommand_from serve validate' -l envoy-config -r -F -d 'A folder of envoyproxy/ratelimit'
complete -c weir -n '__fish_seen_subcommand_from serve validate' -l envoy -d 'The folder that RUNTIME_ROOT and others name'
complete -c weir -n '__fish_seen_subcommand_from check reset refund bench' -s l -l limit -x -d 'What is allowed, as 5/10s'
complete -c weir -n '__fish_seen_subcommand_from explain check reset refund stats bench' -s s -l store -x -a '(
    printf "%s\t%s\n" memory: "A table in this process" redis:// "What machines share"
    for path in (__fish_complete_path (string replace -r "^shm:" "" -- (commandline -ct)))
        echo shm:$path
    end)' -d 'Where the state is'
complete -c weir -n '__fish_seen_subcommand_from check reset refund' -l name -x -d 'Name of the limit'
complete -c weir -n '__fish_seen_subcommand_from explain check' -s c -l cost -x -d 'How much a request takes'
complete -c weir -n '__fish_seen_subcommand_from refund' -s c -l cost -x -d 'How much to give back'
complete -c weir -n '__fish_seen_subcommand_from check' -s n -l repeat -x -d 'Ask N times for each key'
complete -c weir -n '__fish_seen_subcommand_from check top' -l every -x -d 'Wait this long between, as 1s'
complete -c weir -n '__fish_seen_subcommand_from check' -s p -l peek -d 'Only look'
complete -c weir -n '__fish_seen_subcommand_from validate explain' -F
complete -c weir -n '__fish_seen_subcommand_from explain' -l ask -d 'Look into the store that the file names'
complete -c weir -n '__fish_seen_subcommand_from explain' -s a -l all -d 'Say of each other rule why it does not match'
complete -c weir -n '__fish_seen_subcommand_from check' -l only -x -a 'allowed denied' -d 'Print just these keys'
complete -c weir -n '__fish_seen_subcommand_from validate explain check limit reset refund stats top store bench' -s j -l json -d 'Print a JSON object a line'
complete -c weir -n '__fish_seen_subcommand_from check reset refund' -s q -l quiet -d 'Print no decisions'
complete -c weir -n '__fish_seen_subcommand_from validate explain check limit top store demo' -l color -x -a 'auto always never' -d 'Colours'
complete -c weir -n '__fish_seen_subcommand_from top store' -l timeout -x -d 'How long to wait for answers'
complete -c weir -n '__fish_seen_subcommand_from top' -s n -l count -x -d 'How many keys to show'
complete -c weir -n '__fish_seen_subcommand_from top' -l once -d 'Look once'
complete -c weir -n '__fish_seen_subcommand_from top' -l token-file -r -F -d 'A file with a token'
complete -c weir -n '__fish_seen_subcommand_from top' -l token-env -x -d 'The environment variable with the token'
complete -c weir -n '__fish_seen_subcommand_from bench' -l keys -x -d 'How many keys'
complete -c weir -n '__fish_seen_subcommand_from bench' -l seconds -x -d 'How long each row is measured'
complete -c weir -n '__fish_seen_subcommand_from demo' -l fast -d "Don't wait"
complete -c weir -n '__fish_seen_subcommand_from limit' -a 'token-bucket leaky-bucket fixed-window calendar-window sliding-window sliding-log burst block epoch' -d 'Word of a limit'
