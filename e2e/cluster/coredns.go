package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

// coreDNS is CoreDNS with the few plugins that a cluster without a way out needs.
func coreDNS() int {
	// A set of its own: what CoreDNS brings has put its flags into the common one.
	flags := flag.NewFlagSet("coredns", flag.ExitOnError)
	file := flags.String("conf", "Corefile", "the Corefile")
	_ = flags.Parse(os.Args[1:])
	contents, err := os.ReadFile(*file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "coredns:", err)
		return 2
	}

	// The order in which plugins see a query, whatever the order in the Corefile.
	dnsserver.Directives = []string{"bind", "errors", "cache", "kubernetes"}
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
