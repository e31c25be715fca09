package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// pods are those of the one node that there is.
type pods struct {
	client   kubernetes.Interface
	options  options
	recorder record.EventRecorder
	store    cache.Store
	queue    workqueue.TypedDelayingInterface[string]

	mu     sync.Mutex
	byName map[string]*pod
	lastIP int
}

type pod struct {
	key, ip, folder string
	uid             types.UID
	since           metav1.Time
	// In the order of the specification: those that prepare, those that stay, those that were added later.
	init, main, ephemeral []*container
	annotations           map[string]string
}

// portOf is where a port of the pod is on loopback: its own number, unless an annotation says another.
func (p *pod) portOf(port int) int {
	if number, err := strconv.Atoi(p.annotations["standin.ostiary.dev/port-"+strconv.Itoa(port)]); err == nil {
		return number
	}
	return port
}

func newPods(client kubernetes.Interface, o options) *pods {
	events := record.NewBroadcaster()
	events.StartRecordingToSink(&corev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	return &pods{
		client: client, options: o, byName: map[string]*pod{},
		queue:    workqueue.NewTypedDelayingQueue[string](),
		recorder: events.NewRecorder(scheme.Scheme, v1.EventSource{Component: "kubelet", Host: o.node}),
	}
}

func registerNode(ctx context.Context, client kubernetes.Interface, o options, port int) error {
	now := metav1.Now()
	amounts := v1.ResourceList{v1.ResourceCPU: quantity("4"), v1.ResourceMemory: quantity("8Gi"), v1.ResourcePods: quantity("110")}
	node := &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: o.node, Labels: map[string]string{v1.LabelHostname: o.node, v1.LabelOSStable: "linux"}},
	}
	status := v1.NodeStatus{
		Capacity: amounts, Allocatable: amounts,
		Addresses:       []v1.NodeAddress{{Type: v1.NodeInternalIP, Address: o.nodeIP}, {Type: v1.NodeHostName, Address: o.node}},
		DaemonEndpoints: v1.NodeDaemonEndpoints{KubeletEndpoint: v1.DaemonEndpoint{Port: int32(port)}},
		Conditions: []v1.NodeCondition{{
			Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "KubeletReady", Message: "a stand-in: containers are processes",
			LastHeartbeatTime: now, LastTransitionTime: now,
		}},
		NodeInfo: v1.NodeSystemInfo{KubeletVersion: "standin", OperatingSystem: "linux", ContainerRuntimeVersion: "processes://1"},
	}
	made, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		made, err = client.CoreV1().Nodes().Get(ctx, o.node, metav1.GetOptions{})
	}
	if err != nil {
		return err
	}
	made.Status = status
	_, err = client.CoreV1().Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{})
	return err
}

// run keeps the pods as the API server has them until the context ends.
func (p *pods) run(ctx context.Context) error {
	p.watch(ctx, fields.OneTermEqualSelector("spec.nodeName", ""), p.bind)
	p.store = p.watch(ctx, fields.OneTermEqualSelector("spec.nodeName", p.options.node), func(pod *v1.Pod) {
		p.queue.Add(pod.Namespace + "/" + pod.Name)
	})
	go func() {
		<-ctx.Done()
		p.queue.ShutDown()
	}()
	fmt.Println("ready")
	for {
		key, isOver := p.queue.Get()
		if isOver {
			return nil
		}
		if err := p.sync(ctx, key); err != nil && ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", key, err)
			p.queue.AddAfter(key, time.Second)
		}
		p.queue.Done(key)
	}
}

func (p *pods) watch(ctx context.Context, which fields.Selector, handle func(*v1.Pod)) cache.Store {
	list := cache.NewListWatchFromClient(p.client.CoreV1().RESTClient(), "pods", metav1.NamespaceAll, which)
	store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: list,
		ObjectType:    &v1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { handle(object.(*v1.Pod)) },
			UpdateFunc: func(_, object any) { handle(object.(*v1.Pod)) },
			DeleteFunc: func(object any) {
				if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
					object = gone.Obj
				}
				handle(object.(*v1.Pod))
			},
		},
	})
	go controller.RunWithContext(ctx)
	return store
}

// bind is the scheduler: there is one node.
func (p *pods) bind(pod *v1.Pod) {
	isOurs := pod.Spec.SchedulerName == v1.DefaultSchedulerName && len(pod.Spec.SchedulingGates) == 0
	if !isOurs || pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
		return
	}
	err := p.client.CoreV1().Pods(pod.Namespace).Bind(context.Background(), &v1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Target:     v1.ObjectReference{Kind: "Node", Name: p.options.node},
	}, metav1.CreateOptions{})
	if err != nil {
		// Of a pod that was bound or removed meanwhile there is nothing to say.
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			fmt.Fprintf(os.Stderr, "binding %s/%s: %v\n", pod.Namespace, pod.Name, err)
		}
		return
	}
	p.recorder.Eventf(pod, v1.EventTypeNormal, "Scheduled", "Successfully assigned %s/%s to %s", pod.Namespace, pod.Name, p.options.node)
}

func (p *pods) sync(ctx context.Context, key string) error {
	object, isThere, err := p.store.GetByKey(key)
	if err != nil {
		return err
	}
	p.mu.Lock()
	known := p.byName[key]
	p.mu.Unlock()
	if known != nil && (!isThere || object.(*v1.Pod).UID != known.uid) {
		p.forget(known)
		known = nil
	}
	if !isThere {
		return nil
	}
	spec := object.(*v1.Pod)
	if spec.DeletionTimestamp != nil {
		if known != nil {
			p.recorder.Event(spec, v1.EventTypeNormal, "Killing", "Stopping the containers")
			p.forget(known)
		}
		now := int64(0)
		err := p.client.CoreV1().Pods(spec.Namespace).Delete(ctx, spec.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &spec.UID},
		})
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		return err
	}
	if known == nil {
		known = p.admit(spec)
	}
	p.progress(known, spec)
	return p.tell(ctx, known, spec)
}

func (p *pods) admit(spec *v1.Pod) *pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastIP++
	made := &pod{
		key: spec.Namespace + "/" + spec.Name, uid: spec.UID, since: metav1.Now(), annotations: spec.Annotations,
		ip:     fmt.Sprintf("10.244.%d.%d", p.lastIP/250, p.lastIP%250+1),
		folder: filepath.Join(p.options.folder, string(spec.UID), spec.Name),
	}
	for _, container := range spec.Spec.InitContainers {
		made.init = append(made.init, p.prepare(made, container))
	}
	for _, container := range spec.Spec.Containers {
		made.main = append(made.main, p.prepare(made, container))
	}
	p.byName[made.key] = made
	return made
}

func (p *pods) prepare(of *pod, spec v1.Container) *container {
	return &container{
		id: string(of.uid) + "_" + spec.Name, folder: filepath.Join(of.folder, spec.Name), spec: spec,
		others: map[*exec.Cmd]bool{}, changed: func() { p.queue.Add(of.key) },
	}
}

// forget ends all that the pod runs and removes its files.
func (p *pods) forget(known *pod) {
	p.mu.Lock()
	delete(p.byName, known.key)
	p.mu.Unlock()
	for _, container := range known.all() {
		container.end()
	}
	_ = os.RemoveAll(filepath.Dir(known.folder))
}

func (p *pods) endAll() {
	p.mu.Lock()
	all := []*pod{}
	for _, known := range p.byName {
		all = append(all, known)
	}
	p.mu.Unlock()
	for _, known := range all {
		p.forget(known)
	}
}

func (p *pod) all() []*container {
	all := append([]*container{}, p.init...)
	return append(append(all, p.main...), p.ephemeral...)
}
