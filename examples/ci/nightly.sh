#!/bin/sh
# A night: the suite once, a few short load runs, and what changed since the last good night.
#
# It fails (1) on a regression only: a case that got worse, or figures that got worse by more than chance and 10 %.
# Other nights are 0, also those from which nobody can tell; a mistake in the set-up is 2, a CSMS that is not there 4.
# All settings are in the environment; without CSMS_URL the practice CSMS of plugstorm is tested.
set -u
: "${CSMS_URL:=}"
: "${CSMS_OPTIONS:=}"       # for both commands, such as --driver my-csms.yaml --i-own-this-target csms.example
: "${LABEL:=}"              # commit or release of the CSMS
: "${INTEROP:=--jobs 4}"    # options of plugstorm interop; "no" leaves the suite out
: "${LOAD:=--stations 100 --spawn-rate 50 --duration 60s --warm-up 5}"
: "${RUNS:=5}"              # of the load test; with fewer than 5 nobody can tell a regression from chance
: "${HISTORY:=plugstorm-history}"  # what is kept from night to night: one run.json for each run
: "${NIGHT:=plugstorm-night}"      # the run folders of this night
: "${KEEP:=60}"             # nights in the history
: "${ACCEPT:=}"             # anything: take this night into the history although it regressed

target=${CSMS_URL:+--url $CSMS_URL}
stamp=$(date -u +%Y%m%dT%H%M%SZ)
worst=0
rm -rf "$NIGHT" && mkdir -p "$NIGHT" "$HISTORY" || exit 2

# note CODE WHAT: remember a regression, and end where nothing can be tested.
note() {
  case $1 in
    0) ;;
    1) worst=1; echo "nightly: $2: regression" ;;
    3) echo "nightly: $2: nobody can tell; see above" ;;
    *) echo "nightly: $2 ended with $1"; exit "$1" ;;
  esac
}

# compare WHAT RUNS: tell what got worse since the last good night; the first night has nothing before it.
compare() {
  if [ -z "$(find "$HISTORY" -path "*/$1*/run.json" | head -n 1)" ]; then
    echo "nightly: there is no $1 run of an earlier night: this night makes the base"
    return
  fi
  # shellcheck disable=SC2086  # words
  plugstorm compare --baseline latest --runs "$HISTORY" $2
  note $? "compare $1"
}

if [ "$INTEROP" != no ]; then
  # Cases that FAILED before, too, are no regression: only the comparison decides.
  # shellcheck disable=SC2086  # words
  plugstorm interop $target $CSMS_OPTIONS $INTEROP --label "$LABEL" --out "$NIGHT/interop"
  code=$?; [ $code -eq 1 ] || note $code interop
  if [ -f "$NIGHT/interop/run.json" ]; then
    compare interop "$NIGHT/interop"
  fi
fi

# A busy machine spoils a run now and then: up to three more are made.
good="" count=0 try=0
while [ $count -lt "$RUNS" ] && [ $try -lt $((RUNS + 3)) ]; do
  try=$((try + 1))
  # shellcheck disable=SC2086  # words
  plugstorm load $target $CSMS_OPTIONS $LOAD --seed $try --label "$LABEL" --out "$NIGHT/load-$try"
  code=$?
  case $code in
    0 | 1) good="$good $NIGHT/load-$try"; count=$((count + 1)) ;;
    3) ;;
    *) note $code load ;;
  esac
done
if [ -n "$good" ]; then
  compare load "$good"
fi

# The base stays the last good night until somebody accepts the new figures.
if [ $worst -eq 0 ] || [ -n "$ACCEPT" ]; then
  for run in "$NIGHT/interop" $good; do
    if [ -f "$run/run.json" ]; then
      mkdir -p "$HISTORY/$stamp/${run##*/}" && cp "$run/run.json" "$HISTORY/$stamp/${run##*/}/" || exit 2
    fi
  done
  find "$HISTORY" -mindepth 1 -maxdepth 1 -type d | sort -r | tail -n "+$((KEEP + 1))" | xargs -r rm -rf
fi
plugstorm history "$HISTORY" --out "$NIGHT/history.html"
[ -z "$ACCEPT" ] || exit 0
exit $worst
