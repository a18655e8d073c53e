package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

// coreDNS is CoreDNS with the few plugins that a cluster without a way out needs.
func coreDNS() int {
	file := flag.String("conf", "Corefile", "the Corefile")
	flag.Parse()
	contents, err := os.ReadFile(*file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "coredns:", err)
		return 2
	}

	// The order in which plugins see a query, whatever the order in the Corefile.
	dnsserver.Directives = []string{"errors", "cache", "kubernetes"}
	caddy.AppName = "CoreDNS"
	caddy.Quiet = true
	caddy.TrapSignals()
	instance, err := caddy.Start(caddy.CaddyfileInput{
		Contents:       contents,
		Filepath:       *file,
		ServerTypeName: "dns",
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "coredns:", err)
		return 1
	}
	fmt.Fprintln(os.Stderr, "coredns: ready")
	instance.Wait()
	return 0
}
