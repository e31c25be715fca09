package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

const restartAfter = time.Second

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

// progress starts what is due: preparing containers one after the other, then the others all at once.
func (p *pods) progress(known *pod, spec *v1.Pod) {
	for at := len(known.ephemeral); at < len(spec.Spec.EphemeralContainers); at++ {
		added := p.prepare(known, v1.Container(spec.Spec.EphemeralContainers[at].EphemeralContainerCommon))
		p.mu.Lock()
		known.ephemeral = append(known.ephemeral, added)
		p.mu.Unlock()
		p.start(added, spec)
	}
	for _, container := range known.init {
		if container.done == nil {
			p.start(container, spec)
		}
		if container.isRunning() {
			return
		}
		if container.code != 0 {
			if spec.Spec.RestartPolicy != v1.RestartPolicyNever {
				p.again(container, spec)
			}
			return
		}
	}
	for _, container := range known.main {
		switch {
		case container.done == nil:
			p.start(container, spec)
		case container.isRunning():
		case spec.Spec.RestartPolicy == v1.RestartPolicyAlways || spec.Spec.RestartPolicy == v1.RestartPolicyOnFailure && container.code != 0:
			p.again(container, spec)
		}
	}
}

func (p *pods) start(container *container, spec *v1.Pod) {
	if err := container.start(); err != nil {
		p.recorder.Eventf(spec, v1.EventTypeWarning, "Failed", "Error: %v", err)
		return
	}
	p.recorder.Eventf(spec, v1.EventTypeNormal, "Started", "Container started: %s", container.spec.Name)
}

// again restarts a container that ended, though not at once.
func (p *pods) again(container *container, spec *v1.Pod) {
	if left := restartAfter - time.Since(*container.ended); left > 0 {
		p.queue.AddAfter(spec.Namespace+"/"+spec.Name, left)
		return
	}
	p.start(container, spec)
}

func (c *container) status() v1.ContainerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := v1.ContainerStatus{
		Name: c.spec.Name, Image: c.spec.Image, ImageID: "standin://" + c.spec.Image, RestartCount: c.restarts,
	}
	isStarted := c.done != nil && c.ended == nil
	status.Started, status.Ready = &isStarted, isStarted
	switch {
	case c.done == nil:
		status.State.Waiting = &v1.ContainerStateWaiting{Reason: "PodInitializing"}
		return status
	case c.ended == nil:
		status.State.Running = &v1.ContainerStateRunning{StartedAt: metav1.NewTime(c.started)}
	default:
		status.State.Terminated = terminated(c.id, c.code, c.started, *c.ended)
	}
	status.ContainerID = "standin://" + c.id
	if c.restarts > 0 {
		status.LastTerminationState.Terminated = terminated(c.id, c.lastCode, c.lastSpan[0], c.lastSpan[1])
	}
	return status
}

func terminated(id string, code int32, from, until time.Time) *v1.ContainerStateTerminated {
	reason := "Completed"
	if code != 0 {
		reason = "Error"
	}
	return &v1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, StartedAt: metav1.NewTime(from), FinishedAt: metav1.NewTime(until), ContainerID: "standin://" + id,
	}
}

func statuses(of []*container) []v1.ContainerStatus {
	all := make([]v1.ContainerStatus, len(of))
	for at, container := range of {
		all[at] = container.status()
	}
	return all
}

// tell writes the pod's status, if it is another than the API server has.
func (p *pods) tell(ctx context.Context, known *pod, spec *v1.Pod) error {
	status := v1.PodStatus{
		HostIP: p.options.nodeIP, HostIPs: []v1.HostIP{{IP: p.options.nodeIP}},
		PodIP: known.ip, PodIPs: []v1.PodIP{{IP: known.ip}}, StartTime: &known.since,
		InitContainerStatuses: statuses(known.init), ContainerStatuses: statuses(known.main), EphemeralContainerStatuses: statuses(known.ephemeral),
		QOSClass: spec.Status.QOSClass,
	}
	status.Phase = phaseOf(status.ContainerStatuses, spec.Spec.RestartPolicy)
	isReady := status.Phase == v1.PodRunning
	for _, one := range status.ContainerStatuses {
		isReady = isReady && one.Ready
	}
	truth := map[bool]v1.ConditionStatus{true: v1.ConditionTrue, false: v1.ConditionFalse}
	for _, condition := range []struct {
		kind v1.PodConditionType
		is   bool
	}{
		{v1.PodReadyToStartContainers, true}, {v1.PodInitialized, status.Phase != v1.PodPending}, {v1.PodReady, isReady},
		{v1.ContainersReady, isReady}, {v1.PodScheduled, true},
	} {
		status.Conditions = append(status.Conditions, v1.PodCondition{Type: condition.kind, Status: truth[condition.is], LastTransitionTime: known.since})
	}
	if same(status, spec.Status) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": known.uid}, "status": status})
	if err != nil {
		return err
	}
	_, err = p.client.CoreV1().Pods(spec.Namespace).Patch(ctx, spec.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

func same(ours, theirs v1.PodStatus) bool {
	normal := func(status v1.PodStatus) (form any) {
		told := v1.PodStatus{
			HostIP: status.HostIP, PodIP: status.PodIP, Phase: status.Phase, ContainerStatuses: status.ContainerStatuses,
			InitContainerStatuses: status.InitContainerStatuses, EphemeralContainerStatuses: status.EphemeralContainerStatuses,
		}
		// Times have seconds only once they were written.
		bytes, _ := json.Marshal(told)
		_ = json.Unmarshal(bytes, &form)
		return form
	}
	return reflect.DeepEqual(normal(ours), normal(theirs))
}

func phaseOf(all []v1.ContainerStatus, policy v1.RestartPolicy) v1.PodPhase {
	waiting, running, failed := 0, 0, 0
	for _, one := range all {
		switch {
		case one.State.Waiting != nil:
			waiting++
		case one.State.Running != nil:
			running++
		case one.State.Terminated.ExitCode != 0:
			failed++
		}
	}
	switch {
	case waiting > 0:
		return v1.PodPending
	case running > 0 || policy == v1.RestartPolicyAlways || policy == v1.RestartPolicyOnFailure && failed > 0:
		return v1.PodRunning
	case failed > 0:
		return v1.PodFailed
	default:
		return v1.PodSucceeded
	}
}

func (p *pods) byIP(ip string) *pod {
	return p.first(func(known *pod) bool { return known.ip == ip })
}

func (p *pods) first(is func(*pod) bool) *pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.byName {
		if is(known) {
			return known
		}
	}
	return nil
}

func (p *pods) container(namespace, name, container string) *container {
	known := p.first(func(known *pod) bool { return known.key == namespace+"/"+name })
	if known == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range known.all() {
		if one.spec.Name == container {
			return one
		}
	}
	return nil
}

func (p *pods) byID(id string) *container {
	uid, name, _ := strings.Cut(id, "_")
	known := p.first(func(known *pod) bool { return string(known.uid) == uid })
	if known == nil {
		return nil
	}
	namespace, podName, _ := strings.Cut(known.key, "/")
	return p.container(namespace, podName, name)
}

func (p *pods) spec(namespace, name string) *v1.Pod {
	object, isThere, err := p.store.GetByKey(namespace + "/" + name)
	if err != nil || !isThere {
		return nil
	}
	return object.(*v1.Pod)
}

func (p *pods) specs() []*v1.Pod {
	all := []*v1.Pod{}
	for _, object := range p.store.List() {
		all = append(all, object.(*v1.Pod))
	}
	return all
}

// Exec, Attach and PortForward are what the streams' server asks of a runtime.
func (p *pods) Exec(
	_ context.Context, id string, command []string, in io.Reader, out, errs io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize,
) error {
	found := p.byID(id)
	if found == nil || !found.isRunning() {
		return errNoContainer
	}
	return found.exec(command, in, out, errs, tty, resize)
}

func (p *pods) Attach(
	_ context.Context, id string, in io.Reader, out, errs io.WriteCloser, _ bool, resize <-chan remotecommand.TerminalSize,
) error {
	found := p.byID(id)
	if found == nil {
		return errNoContainer
	}
	found.mu.Lock()
	log, done, stdin, terminal := found.log, found.done, found.stdin, found.terminal
	found.mu.Unlock()
	if log == nil {
		return errNoContainer
	}
	detach := log.attach(&attachment{out: out, err: errs})
	defer detach()
	if terminal != nil {
		go follow(terminal, resize)
	}
	if in != nil {
		go func() {
			_, _ = io.Copy(stdin, in)
			if found.spec.StdinOnce && terminal == nil {
				_ = stdin.Close()
			}
		}()
	}
	// As a runtime does: who is attached stays so until the container ends, whatever became of their input.
	<-done
	return nil
}

func (p *pods) PortForward(_ context.Context, uid string, port int32, stream io.ReadWriteCloser) error {
	known := p.first(func(known *pod) bool { return string(known.uid) == uid })
	if known == nil {
		return errors.New("pod not found")
	}
	target, err := net.DialTimeout("tcp", loopback(known.portOf(int(port))), 5*time.Second)
	if err != nil {
		return err
	}
	defer target.Close()
	both(target.(*net.TCPConn), stream)
	return nil
}
