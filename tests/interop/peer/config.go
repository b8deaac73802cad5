package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/hashicorp/memberlist"
)

// keyList collects a flag that may be given many times.
type keyList [][]byte

func (k *keyList) String() string { return fmt.Sprint(len(*k), " keys") }

func (k *keyList) Set(text string) error {
	key, err := base64.StdEncoding.DecodeString(text)
	*k = append(*k, key)
	return err
}

func configure() (*memberlist.Config, *peer, error) {
	name := flag.String("name", "", "node name")
	bind := flag.String("bind", "", "IP:PORT")
	profile := flag.String("profile", "local", "lan, wan or local")
	compression := flag.Bool("compression", true, "compress what is sent")
	protocol := flag.Uint("protocol-version", 2, "memberlist protocol to speak")
	delegate := flag.String("delegate-version", "0,0,0", "MIN,MAX,CUR")
	seed := flag.String("join", "", "IP:PORT to join through")
	meta := flag.String("meta-hex", "", "metadata")
	reclaim := flag.Duration("dead-node-reclaim-time", 0, "when a dead name may be taken")
	indirect := flag.Int("indirect-checks", -1, "how many helpers a probe asks, -1 for the profile's")
	retransmit := flag.Int("retransmit-mult", 0, "how often a message is gossiped, 0 for the profile's")
	forget := flag.Duration("gossip-to-the-dead-time", 0, "how long the dead are gossiped to, 0 for the profile's")
	dskit := flag.Bool("dskit", false, "carry packets over connections, as dskit does")
	patience := flag.Duration("stream-timeout", 0, "for a stream, 0 for the profile's")
	label := flag.String("label", "", "the cluster's label, with --dskit")
	var files certificates
	flag.StringVar(&files.cert, "tls-cert", "", "certificate")
	flag.StringVar(&files.key, "tls-key", "", "its key")
	flag.StringVar(&files.ca, "tls-ca", "", "authority of all certificates")
	flag.StringVar(&files.serverName, "tls-server-name", "", "name in the certificates of others")
	exchange := flag.Duration("push-pull-interval", 0, "between full state exchanges, 0 for the profile's")
	var keys keyList
	flag.Var(&keys, "key", "base64, repeatable, the first is primary")
	flag.Parse()

	presets := map[string]func() *memberlist.Config{
		"lan":   memberlist.DefaultLANConfig,
		"wan":   memberlist.DefaultWANConfig,
		"local": memberlist.DefaultLocalConfig,
	}
	preset := presets[*profile]
	if preset == nil {
		return nil, nil, fmt.Errorf("unknown profile %q", *profile)
	}
	config := preset()
	config.Name = *name
	addr, err := net.ResolveTCPAddr("tcp", *bind)
	if err != nil {
		return nil, nil, err
	}
	config.BindAddr, config.BindPort = addr.IP.String(), addr.Port
	config.AdvertisePort = addr.Port
	config.EnableCompression = *compression
	config.ProtocolVersion = uint8(*protocol)
	config.DeadNodeReclaimTime = *reclaim
	if *indirect >= 0 {
		config.IndirectChecks = *indirect
	}
	if *forget > 0 {
		config.GossipToTheDeadTime = *forget
	}
	if *patience > 0 {
		config.TCPTimeout = *patience
	}
	if *exchange > 0 {
		config.PushPullInterval = *exchange
	}
	if *retransmit > 0 {
		config.RetransmitMult = *retransmit
	}
	if _, err := fmt.Sscanf(*delegate, "%d,%d,%d", &config.DelegateProtocolMin,
		&config.DelegateProtocolMax, &config.DelegateProtocolVersion); err != nil {
		return nil, nil, fmt.Errorf("delegate versions %q: %v", *delegate, err)
	}

	p := &peer{printer: &printer{out: bufio.NewWriter(os.Stdout)}, nodes: map[string]*memberlist.Node{}, seed: *seed}
	if p.meta, err = hex.DecodeString(*meta); err != nil {
		return nil, nil, err
	}
	if len(keys) > 0 {
		if p.ring, err = memberlist.NewKeyring(keys, keys[0]); err != nil {
			return nil, nil, err
		}
		config.Keyring = p.ring
	}
	if *dskit {
		if config.Transport, err = newDskitTransport(*bind, *label, files); err != nil {
			return nil, nil, err
		}
		config.DisableTcpPings = true
	}
	if extend != nil {
		if err := extend(config, p); err != nil {
			return nil, nil, err
		}
	}
	config.Delegate, config.Events, config.Conflict, config.Ping = p, p, p, p
	p.queue = &memberlist.TransmitLimitedQueue{RetransmitMult: config.RetransmitMult}
	return config, p, nil
}
