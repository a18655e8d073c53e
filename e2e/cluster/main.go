// Command cluster is a whole Kubernetes control plane and node in one program, for tests: it is whichever
// component its name (argv[0]), or else its first argument, says. Each component runs in a process of its own,
// because that is how they are built, and because a test wants to kill one of them.
//
// It exists so that the whole-system tests need nothing but a Go compiler and the module proxy to have a real
// cluster. It is not a distribution: etcd listens without TLS and does not sync, which is right for a cluster
// that lives as long as a test.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// The components by the names that everybody knows them by. A command is made only when it is run: some of
// them set up process-wide state.
var components = map[string]func() int{
	"kube-apiserver": func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int {
		return cli.Run(controllermanager.NewControllerManagerCommand())
	},
	"kube-scheduler": func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kube-proxy":     func() int { return cli.Run(proxy.NewProxyCommand()) },
	// It sets up its signals itself, which can be done once.
	"kubelet": func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) },
	"kubectl": func() int { return run(kubectl.NewDefaultKubectlCommand()) },
	"etcd":    etcd,
	"coredns": coreDNS,
}

func main() {
	name := filepath.Base(os.Args[0])
	component, ok := components[name]
	if !ok && len(os.Args) > 1 {
		name = os.Args[1]
		component, ok = components[name]
		// A component reads its arguments as if it were alone, and shows argv[0] as its name.
		os.Args = append([]string{name}, os.Args[2:]...)
	}
	if !ok {
		names := make([]string, 0, len(components))
		for name := range components {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "usage: cluster COMPONENT [ARGUMENTS]\ncomponents: %s\n", strings.Join(names, " "))
		os.Exit(2)
	}
	os.Exit(component())
}

func run(command *cobra.Command) int {
	if err := command.Execute(); err != nil {
		return 1
	}
	return 0
}
