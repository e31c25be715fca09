package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-client/pkg/logs"
	"k8s.io/cri-streaming/pkg/streaming"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/kubernetes/pkg/kubelet/server"
	"k8s.io/kubernetes/pkg/kubelet/server/stats"
)

// host is what the kubelet's server asks. What is not written here is not served: the embedded interfaces are nil.
type host struct {
	server.HostInterface
	stats.ResourceAnalyzer
	pods    *pods
	streams streaming.Server
}

var errNoContainer = errors.New("container not found")

func (h *host) Start(context.Context) {}

func (h *host) SyncLoopHealthCheck(*http.Request) error { return nil }

func (h *host) ServeLogs(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }

func (h *host) GetPods() []*v1.Pod { return h.pods.specs() }

func (h *host) GetRunningPods(context.Context) ([]*v1.Pod, error) { return h.pods.specs(), nil }

func (h *host) GetPodByName(namespace, name string) (*v1.Pod, bool) {
	spec := h.pods.spec(namespace, name)
	return spec, spec != nil
}

// find wants a full name, as kubelets have them: name and namespace with an underscore between.
func (h *host) find(fullName, container string) (*container, error) {
	name, namespace, _ := strings.Cut(fullName, "_")
	if found := h.pods.container(namespace, name, container); found != nil {
		return found, nil
	}
	return nil, errNoContainer
}

func (h *host) RunInContainer(_ context.Context, fullName string, _ types.UID, name string, command []string) ([]byte, error) {
	found, err := h.find(fullName, name)
	if err != nil {
		return nil, err
	}
	var output strings.Builder
	err = found.exec(command, nil, &output, &output, false, nil)
	return []byte(output.String()), err
}

func (h *host) GetKubeletContainerLogs(ctx context.Context, fullName, name string, o *v1.PodLogOptions, stdout, stderr io.Writer) error {
	found, err := h.find(fullName, name)
	if err != nil {
		return err
	}
	path := found.logPath(o.Previous)
	if path == "" {
		pod, _, _ := strings.Cut(fullName, "_")
		return fmt.Errorf("previous terminated container %q in pod %q not found", name, pod)
	}
	return logs.ReadLogs(ctx, path, found.id, logOptions(o), running{found: found}, stdout, stderr)
}

// logOptions reads the options as a kubelet does.
func logOptions(o *v1.PodLogOptions) *logs.LogOptions {
	wanted := &logs.LogOptions{TailLines: o.TailLines, LimitBytes: o.LimitBytes, Follow: o.Follow, Timestamp: o.Timestamps}
	if o.SinceSeconds != nil {
		wanted.Since = time.Now().Add(-time.Duration(*o.SinceSeconds) * time.Second)
	}
	if o.SinceTime != nil {
		wanted.Since = o.SinceTime.Time
	}
	return wanted
}

// running tells the reader of logs whether there is more to come, and nothing else.
type running struct {
	internalapi.RuntimeService
	found *container
}

func (r running) ContainerStatus(context.Context, string, bool) (*runtimeapi.ContainerStatusResponse, error) {
	state := runtimeapi.ContainerState_CONTAINER_EXITED
	if r.found.isRunning() {
		state = runtimeapi.ContainerState_CONTAINER_RUNNING
	}
	return &runtimeapi.ContainerStatusResponse{Status: &runtimeapi.ContainerStatus{Id: r.found.id, State: state}}, nil
}

func (h *host) GetExec(
	_ context.Context, fullName string, _ types.UID, name string, command []string, o remotecommand.Options,
) (*url.URL, error) {
	found, err := h.find(fullName, name)
	if err != nil {
		return nil, err
	}
	answer, err := h.streams.GetExec(&runtimeapi.ExecRequest{
		ContainerId: found.id, Cmd: command, Tty: o.TTY, Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr,
	})
	if err != nil {
		return nil, err
	}
	return url.Parse(answer.Url)
}

func (h *host) GetAttach(_ context.Context, fullName string, _ types.UID, name string, o remotecommand.Options) (*url.URL, error) {
	found, err := h.find(fullName, name)
	if err != nil {
		return nil, err
	}
	answer, err := h.streams.GetAttach(&runtimeapi.AttachRequest{
		// As a kubelet does: a terminal is the container's, not the caller's.
		ContainerId: found.id, Tty: found.spec.TTY, Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr && !found.spec.TTY,
	})
	if err != nil {
		return nil, err
	}
	return url.Parse(answer.Url)
}

func (h *host) GetPortForward(_ context.Context, _, _ string, uid types.UID, o portforward.V4Options) (*url.URL, error) {
	answer, err := h.streams.GetPortForward(&runtimeapi.PortForwardRequest{PodSandboxId: string(uid), Port: o.Ports})
	if err != nil {
		return nil, err
	}
	return url.Parse(answer.Url)
}

// Get answers `/stats/summary`: names are true, figures are made up and always the same.
func (h *host) Get(context.Context, bool) (*statsapi.Summary, error) {
	now := metav1.Now()
	cpu, memory := uint64(1_000_000), uint64(1<<20)
	figures := &statsapi.CPUStats{Time: now, UsageNanoCores: &cpu, UsageCoreNanoSeconds: &cpu}
	amount := &statsapi.MemoryStats{Time: now, UsageBytes: &memory, WorkingSetBytes: &memory}
	summary := &statsapi.Summary{Node: statsapi.NodeStats{NodeName: h.pods.options.node, StartTime: now, CPU: figures, Memory: amount}}
	for _, pod := range h.pods.specs() {
		about := statsapi.PodStats{
			PodRef:    statsapi.PodReference{Name: pod.Name, Namespace: pod.Namespace, UID: string(pod.UID)},
			StartTime: pod.CreationTimestamp, CPU: figures, Memory: amount,
		}
		for _, container := range pod.Spec.Containers {
			about.Containers = append(about.Containers, statsapi.ContainerStats{Name: container.Name, StartTime: now, CPU: figures, Memory: amount})
		}
		summary.Pods = append(summary.Pods, about)
	}
	return summary, nil
}

func (h *host) GetCPUAndMemoryStats(ctx context.Context) (*statsapi.Summary, error) {
	return h.Get(ctx, false)
}
