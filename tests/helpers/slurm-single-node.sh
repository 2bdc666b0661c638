#!/bin/bash
# slurm-single-node.sh start|stop DIR [CPUS] [GPUS] [PORT]
# A real SLURM (munge, slurmctld, slurmd) on 127.0.0.1 for tests: no cgroups, no systemd, no
# accounting. Needs Debian's slurm-wlm and munge, and root. Prints SLURM_CONF to export. GPUs are
# stand-in device nodes, so that --gres=gpu:1 is scheduled and CUDA_VISIBLE_DEVICES is set for each
# task. PORT and the one after it have to be free.
set -euo pipefail
verb=$1 dir=$(mkdir -p "$2" && cd "$2" && pwd) cpus=${3:-4} gpus=${4:-4} port=${5:-6817}
if [[ $verb == stop ]]; then
  for name in slurmd slurmctld munged; do
    [[ -f $dir/$name.pid ]] && kill "$(cat "$dir/$name.pid")" 2>/dev/null || true
  done
  exit 0
fi
mkdir -p "$dir"/{state,spool,log}
head -c 128 /dev/urandom >"$dir/munge.key"
chmod 400 "$dir/munge.key"
gpu_lines='' gres=''
if ((gpus > 0)); then
  for ((i = 0; i < gpus; i++)); do [[ -e $dir/gpu$i ]] || mknod "$dir/gpu$i" c 1 3; done
  printf 'AutoDetect=off\nNodeName=localhost Name=gpu File=%s/gpu[0-%d]\n' "$dir" $((gpus - 1)) \
    >"$dir/gres.conf"
  gpu_lines='GresTypes=gpu' gres="Gres=gpu:$gpus"
fi
cat >"$dir/slurm.conf" <<CONF
ClusterName=local
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.sock
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MinJobAge=3600
KillWait=5
SlurmdParameters=config_overrides
$gpu_lines
NodeName=localhost NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=8000 $gres State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$dir/slurm.conf
munged --force --key-file="$dir/munge.key" --socket="$dir/munge.sock" \
  --pid-file="$dir/munged.pid" --log-file="$dir/log/munged.log" --seed-file="$dir/munged.seed"
for _ in {1..50}; do [[ -S $dir/munge.sock ]] && break; sleep 0.1; done
slurmctld -c
slurmd -N localhost
for _ in {1..100}; do sinfo -h -o %T 2>/dev/null | grep -q idle && break; sleep 0.2; done
sinfo -h -o %T | grep -q idle || { echo "the node is not idle; see $dir/log" >&2; exit 1; }
echo "export SLURM_CONF=$dir/slurm.conf"
