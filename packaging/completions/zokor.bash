# bash completion for zokor: made by tools/completions of packaging/completions/table; change that

_zokor() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local options='' valued='' words='' files=''
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "server cli log snap start stop restart purge init status lock elect semaphore barrier queue register discover watch sim bench version --help --version" -- "$word")
        return
    fi
    case ${COMP_WORDS[1]} in
        server)
            options='-D --check --help-config --help-config=markdown -h --help'
            files=yes
            ;;
        cli)
            options='-server -timeout -r -waitforconnection -client-configuration --auth --jaas --sasl-section --json -q --quiet --color --log -h --help'
            valued='-server -timeout -client-configuration --auth --jaas --sasl-section --color --log'
            words='addauth addWatch close config connect create delete deleteall delquota exit export find get getAcl getAllChildrenNumber getEphemerals help history import listquota ls printwatches quit reconfig redo removewatches set setAcl setquota stat sync tree version watch whoami'
            ;;
        log)
            options='--json --path --session --type --from --to --snapshots --lost --replace -h --help'
            valued='--path --session --type --from --to --snapshots --lost'
            words='show follow verify repair trim toolkit'
            ;;
        snap)
            options='-h --help'
            words='show info summary compare diff export'
            ;;
        start)
            options='--pidfile --logfile --wait -h --help'
            valued='--pidfile --logfile --wait'
            files=yes
            ;;
        stop)
            options='--pidfile --logfile --wait -h --help'
            valued='--pidfile --logfile --wait'
            files=yes
            ;;
        restart)
            options='--pidfile --logfile --wait -h --help'
            valued='--pidfile --logfile --wait'
            files=yes
            ;;
        purge)
            options='-n --help'
            valued='-n'
            files=yes
            ;;
        init)
            options='--configfile --myid --force -h --help'
            valued='--configfile --myid'
            ;;
        status)
            options='-D -h --help'
            files=yes
            ;;
        lock)
            options='--servers --auth --jaas --sasl-section --client-configuration --session --wait -h --help'
            valued='--servers --auth --jaas --sasl-section --client-configuration --session --wait'
            ;;
        elect)
            options='--servers --auth --jaas --sasl-section --client-configuration --session --wait --id -h --help'
            valued='--servers --auth --jaas --sasl-section --client-configuration --session --wait --id'
            ;;
        semaphore)
            options='--servers --auth --jaas --sasl-section --client-configuration --session --wait --leases -h --help'
            valued='--servers --auth --jaas --sasl-section --client-configuration --session --wait --leases'
            ;;
        barrier)
            options='--servers --auth --jaas --sasl-section --client-configuration --session --wait --count -h --help'
            valued='--servers --auth --jaas --sasl-section --client-configuration --session --wait --count'
            words='set remove wait enter'
            ;;
        queue)
            options='--servers --auth --jaas --sasl-section --client-configuration --session --wait --kind --lock --lines --id --priority --delay --count -h --help'
            valued='--servers --auth --jaas --sasl-section --client-configuration --session --wait --kind --lock --id --priority --delay --count'
            words='put take'
            ;;
        register)
            options='--servers --auth --jaas --sasl-section --client-configuration --session --wait --base --id --address --port --ssl-port --payload --uri -h --help'
            valued='--servers --auth --jaas --sasl-section --client-configuration --session --wait --base --id --address --port --ssl-port --payload --uri'
            ;;
        discover)
            options='--servers --auth --jaas --sasl-section --client-configuration --session --wait --base --json --uri -h --help'
            valued='--servers --auth --jaas --sasl-section --client-configuration --session --wait --base'
            ;;
        watch)
            options='--servers --auth --jaas --sasl-section --client-configuration --session --wait --json --all --count -h --help'
            valued='--servers --auth --jaas --sasl-section --client-configuration --session --wait --count'
            ;;
        sim)
            options='--seed --seeds --members --set --jobs --minimise --log --twice --scenario --variant --floors --museum --options -h --help'
            valued='--seed --seeds --members --set --jobs --scenario --variant'
            ;;
        bench)
            options='--servers --root --auth --client-configuration --jaas --sasl-section --timeout -c --connections -d --depth -r --rate -t --seconds --warm-up --threads -s --size -n --nodes --children --ops --reads --json --histogram --quiet --give-up -h --help'
            valued='--servers --root --auth --client-configuration --jaas --sasl-section --timeout -c --connections -d --depth -r --rate -t --seconds --warm-up --threads -s --size -n --nodes --children --ops --reads --give-up'
            words='ping exists get ls set create delete multi sync watch mixed'
            ;;
        version)
            ;;
    esac
    # After an option that takes a value nothing is known, but files may be meant.
    if [[ " $valued " == *" $before "* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"; [ "$COMP_CWORD" -eq 2 ] || compgen -f -- "$word")
    elif [ -n "$files" ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _zokor zokor
