# shellcheck shell=sh
# What runs left here: which there were, how each ended, and its steps. See src/engine/records.rs.

# hf_records: each run that left its steps, from `run=` on: lines of its card; `begun=SECONDS`; `closed=OUTCOME`;
# `journal=` lines of its steps, when it did not end well; `taken=STEP` for each step of which something was taken
# back. Two programs for each run.
hf_records() {
	for hf_left in /var/lib/holdfast/runs/*; do
		[ -s "$hf_left/steps.yaml" ] && [ -r "$hf_left/run" ] || continue
		printf 'run=%s\n' "${hf_left##*/}"
		sed -n -e '/^runbook=/p' -e '/^operator=/p' -e '/^started=/p' "$hf_left/run"
		sed -n -e '1s/^\([0-9]*\) .*/begun=\1/p' -e 's/^[0-9]* closed \([a-z]*\)$/closed=\1/p' \
			-e 's/^[0-9]* \(step .*\)/journal=\1/p' -e 's/^[0-9]* \(guard undo .*\)/journal=\1/p' \
			"$hf_left/journal" 2>/dev/null
		for hf_point in "$hf_left"/*/*/taken "$hf_left"/*/*/taking; do
			[ -e "$hf_point" ] || continue
			hf_point=${hf_point#"$hf_left/"}
			printf 'taken=%s\n' "${hf_point%%/*}"
		done
	done
}

# hf_steps_of RUN: its steps as they were for this host.
hf_steps_of() {
	cat "/var/lib/holdfast/runs/$1/steps.yaml"
}
