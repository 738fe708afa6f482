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
    put_back # after a power cut
    stamp="$(cat pyproject.toml tools/environment.sh | cksum) $extras $("$python" --version 2>&1) ${options[*]} $jpeg $PWD"
    if [[ -f $folder/stamp && $(<"$folder/stamp") == "$stamp" ]]; then
        return
    fi
    echo "making $folder (once; some minutes) ..." >&2
    if [[ -d $folder ]]; then mv "$folder" "$folder.before"; fi
    (
        trap 'trap "" INT TERM; put_back' EXIT # also of Ctrl-C, which may come once more meanwhile
        make
    )
}

# The browser tests need a Chromium. CI installs Debian's; elsewhere they say that it is missing, and are skipped.
browser() {
    if [[ -z ${CI-} ]] || command -v chromium >/dev/null; then
        return
    fi
    echo "installing chromium ..." >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >&2
}
