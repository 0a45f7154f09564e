# bash completion for zokor

# _zokor_options COMMAND: its options, a word each. Options that take a value end with '='.
_zokor_options() {
    case $1 in
        server) echo "--check --help --help-config --help-config=markdown -D" ;;
        sim) echo "--seed= --seeds= --members= --set= --jobs= --minimise --log --twice --floors --museum --options --help" ;;
        bench)
            echo "--servers= --root= --auth= --timeout= --connections= --depth= --rate= --seconds= --warm-up= --threads=" \
                "--size= --nodes= --children= --ops= --reads= --json --histogram --quiet --give-up= --help"
            ;;
    esac
}

_zokor_commands="server sim bench version"
_zokor_workloads="ping exists get ls set create delete multi sync watch mixed"

_zokor() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} options option
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$_zokor_commands --help --version" -- "$word")
        return
    fi
    options=$(_zokor_options "$command")
    for option in $options; do
        # A value: nothing is known about most of them.
        [ "$option" = "$before=" ] && return
    done
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${options//=/}" -- "$word")
        return
    fi
    case $command in
        bench) mapfile -t COMPREPLY < <(compgen -W "$_zokor_workloads" -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}

complete -o filenames -F _zokor zokor
