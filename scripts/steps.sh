# shellcheck shell=bash
# What scripts/check and scripts/check-deep share: steps with a time limit, a log and a line in the
# summary.  To be sourced, in the project's folder.

PYTHON=/usr/bin/python3 # Debian's, which has the packages; the first in PATH may be another
# shellcheck disable=SC2034
CLANG_MAJOR=14 # of clang-format and clang-tidy: others see it otherwise; for the caller
LOGS=build/check-logs

passed=0 failed=0 skipped=0
summary=()

report() { # name, what came of it, seconds
    summary+=("$(printf '%-36s %-34s %4d s' "$1" "$2" "$3")")
    printf -- '-- %s: %s\n' "$1" "$2"
}

# Runs a command with a time limit in s; $took is how long it needed.
bounded() { # limit, log, command...
    local limit=$1 log=$2 begin=$SECONDS status
    shift 2
    timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null
    status=$?
    took=$((SECONDS - begin))
    [ $status -ne 124 ] || echo "stopped: took more than $limit s" >>"$log"
    return $status
}

# A check that passes or fails as a whole.
step() { # name, limit, command...
    local name=$1 limit=$2 log
    shift 2
    log=$LOGS/${name//[^a-z0-9]/-}.log
    if bounded "$limit" "$log" "$@"; then
        passed=$((passed + 1))
        report "$name" passed "$took"
    else
        failed=$((failed + 1))
        tail -n 100 "$log"
        report "$name" "FAILED, see $log" "$took"
        return 1
    fi
}

skip() { # name, why
    skipped=$((skipped + 1))
    report "$1" "skipped: $2" 0
}

# Tests that count one by one, from the JUnit file that the command writes.
suite() { # name, limit, junit file, command...
    local name=$1 limit=$2 junit=$3 log status=0 p f s
    shift 3
    log=$LOGS/${name//[^a-z0-9]/-}.log
    rm -f "$junit"
    bounded "$limit" "$log" "$@" || status=$?
    read -r p f s < <($PYTHON tools/count_tests.py "$junit")
    # A suite that broke off, or ran nothing, did not pass.
    [ "$f" -gt 0 ] || { [ $status -eq 0 ] && [ $((p + s)) -gt 0 ]; } || f=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [ "$f" -eq 0 ] || tail -n 300 "$log"
    report "$name" "$p passed, $f failed, $s skipped" "$took"
    [ "$s" -eq 0 ] || grep '^SKIPPED' "$log" || true # why, if it is pytest
    [ "$f" -eq 0 ]
}

configure() { # directory, meson options...
    [ -f "$1/build.ninja" ] || meson setup "$@"
}

build() { # directory, meson options...; a build that fails leaves no program for tests
    configure "$@" && rm -f "$1/src/tcp-flowgen" && ninja -C "$1"
}

unit() { # name, directory; each test may take four times its limit, as instruments do
    suite "$1" 600 "$2/meson-logs/testlog.junit.xml" \
        meson test -C "$2" --no-rebuild --print-errorlogs --timeout-multiplier 4 --suite unit
}

python_tests() { # name, limit, pytest words...
    local name=$1 limit=$2 junit=$LOGS/${1//[^a-z0-9]/-}.xml
    shift 2
    suite "$name" "$limit" "$junit" \
        $PYTHON -m pytest -q -rs -p no:cacheprovider --junitxml="$junit" "$@"
}

integration() { # name, limit, build directory, pytest words...
    local name=$1 limit=$2 program=$PWD/$3/src/tcp-flowgen
    shift 3
    [ -x "$program" ] || return # its build was reported as failed
    TCP_FLOWGEN=$program python_tests "$name" "$limit" "$@"
}

# One line of totals; the status of the whole.
conclude() {
    printf '\n'
    printf '%s\n' "${summary[@]}"
    printf '\n%d passed, %d failed' $passed $failed
    [ $skipped -eq 0 ] || printf ', %d skipped' $skipped
    printf '\n'
    [ $failed -eq 0 ]
}

mkdir -p $LOGS
export -f configure build
