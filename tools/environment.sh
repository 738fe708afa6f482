#!/usr/bin/env bash
# Sourced by tools/run and tools/test: makes a virtual environment once, and again when pyproject.toml changes
# or the system's camera packages come. The one that is there is given up only for one that is finished.
#   environment FOLDER [EXTRAS]     e.g.  environment .venv-dev "[trainer,dev]"

find_python() {
    local python
    for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo "error: expected Python 3.11 to 3.13, found $(python3 --version 2>&1); install one or set PYTHON" >&2
    return 1
}

# Into $folder, of the caller.
fetch() {
    "$folder/bin/python" -m pip install -qq --disable-pip-version-check "$@" || {
        echo "error: the environment $folder could not be made; see above, then run again" >&2
        return 1
    }
}

# One at a time makes environments in this folder. Python has locks where the system has no flock; a lock goes with who
# holds it, so that none is left after a power cut.
LOCK='
import fcntl, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print(f"{sys.argv[1]}: waiting for another one that is making an environment here ...", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError as why:
    print(f"warning: this folder cannot be locked ({why}); start nothing else in it meanwhile", file=sys.stderr)
'

# Whether $folder, of the caller, is the one of $stamp.
made() {
    [[ -f $folder/stamp && $(<"$folder/stamp") == "$stamp" ]]
}

# From $python, $options, $jpeg and $extras, of the caller; the stamp comes last.
make() {
    "$python" -m venv "${options[@]}" "$folder" || return 1
    fetch --editable ".$extras" || return 1
    # picamera2 imports simplejpeg, and Bookworm's, built against numpy 1.24, cannot be loaded beside pip's numpy 2.
    if [[ $jpeg ]] && ! "$folder/bin/python" -c 'import simplejpeg' 2>/dev/null; then
        fetch --force-reinstall --no-deps simplejpeg || return 1
    fi
    echo "$stamp" >"$folder/stamp"
}

# The environment that was there before, in the place of one that was not finished: offline none can be made.
put_back() {
    if [[ -d $folder.before && ! -f $folder/stamp ]]; then
        rm -rf "$folder"
        mv "$folder.before" "$folder"
        echo "$folder is again the one that was there before" >&2
    fi
    rm -rf "$folder.before"
}

environment() {
    local folder=$1 extras=${2-} python stamp options=() jpeg=""
    python=$(find_python) || return 1
    # The camera stack of Raspberry Pi OS (libcamera) exists only as system packages, which a plain venv cannot see.
    if "$python" -c 'import libcamera' 2>/dev/null; then
        options+=(--system-site-packages)
        if "$python" -c 'import simplejpeg' 2>/dev/null; then jpeg=simplejpeg; fi
    fi
    stamp="$(cat pyproject.toml tools/environment.sh | cksum) $extras $("$python" --version 2>&1) ${options[*]} $jpeg $PWD"
    if made && [[ ! -d $folder.before ]]; then return; fi
    (
        "$python" -c "$LOCK" "$folder" || exit 1
        put_back # after a power cut
        if made; then exit; fi # by the one that was waited for
        echo "making $folder (once; some minutes) ..." >&2
        trap 'trap "" INT TERM; put_back' EXIT # also of Ctrl-C, which may come once more meanwhile
        if [[ -d $folder ]]; then mv "$folder" "$folder.before"; fi
        make
    ) 9<. # the lock, for as long as anything of this runs
}

# The browser tests need a Chromium. CI installs Debian's; elsewhere they say that it is missing, and are skipped.
browser() {
    if [[ -z ${CI-} ]] || command -v chromium >/dev/null; then
        return
    fi
    echo "installing chromium ..." >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >&2
}
