package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// The rules and the metadata are dskit's: a member keeps gossip and full state exchanges within its
// zone, a bridge connects it with the bridges of others.
const (
	zoneVersion = 1
	zoneHeader  = 3
	zoneMax     = 16

	roleMember = 1
	roleBridge = 2
)

type zoneInfo struct {
	role byte
	zone string
}

func (z zoneInfo) encode() []byte {
	return append([]byte{zoneVersion, z.role, byte(len(z.zone))}, z.zone...)
}

// zoneOf reads metadata of any origin. Of a name that is cut off, the role counts all the same.
func zoneOf(meta []byte) zoneInfo {
	if len(meta) < zoneHeader || meta[0] != zoneVersion {
		return zoneInfo{role: roleMember}
	}
	info, name := zoneInfo{role: meta[1]}, meta[zoneHeader:]
	if length := int(meta[2]); length <= len(name) {
		info.zone = string(name[:length])
	}
	return info
}

// choose returns which nodes may be drawn, and of which bridges one is preferred. Where a zone would
// be cut off, the rules are skipped.
func (z zoneInfo) choose(nodes []memberlist.Candidate) (selected, bridges []int, skipped bool) {
	needs, bridged := map[string]bool{}, map[string]bool{}
	all := make([]int, len(nodes))
	for at, node := range nodes {
		all[at] = at
		info := zoneOf(node.Meta)
		if info.zone == "" {
			continue
		}
		if info.role != roleBridge {
			needs[info.zone] = true
		} else if node.State == memberlist.StateAlive {
			bridged[info.zone] = true
		}
	}
	if z.zone == "" {
		return all, nil, true
	}
	for zone := range needs {
		if !bridged[zone] {
			return all, nil, true
		}
	}
	if z.role != roleMember && z.role != roleBridge {
		return all, nil, false
	}
	for at, node := range nodes {
		info := zoneOf(node.Meta)
		near := info.zone == "" || info.zone == z.zone
		if !near && info.role == roleBridge && z.role == roleBridge {
			bridges = append(bridges, at)
			near = true
		}
		if near {
			selected = append(selected, at)
		}
	}
	return selected, bridges, false
}

// router applies the rules to what the library draws, and counts.
type router struct {
	own zoneInfo

	mu               sync.Mutex
	choices, skipped uint64
}

func (r *router) selection(nodes []memberlist.Candidate) ([]int, int) {
	selected, bridges, skipped := r.own.choose(nodes)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.choices++
	if skipped {
		r.skipped++
	}
	if len(bridges) == 0 {
		return selected, -1
	}
	return selected, bridges[rand.Intn(len(bridges))]
}

// traffic counts, by the address of the other side, the packets of gossip that really go out and
// come in. It can read neither compressed nor encrypted ones.
type traffic struct {
	memberlist.Transport
	packets chan *memberlist.Packet

	mu                         sync.Mutex
	sent, received             map[string]int
	othersSent, othersReceived int
}

// Types of messages, as the protocol has them.
const (
	pingKind         = 0
	indirectPingKind = 1
	ackKind          = 2
	compoundKind     = 7
	userKind         = 8
	nackKind         = 11
	crcKind          = 12
	crcHeader        = 5
)

// kinds of the messages of a packet, by which it is gossip or not.
func kindsOf(packet []byte) map[byte]bool {
	if len(packet) > crcHeader && packet[0] == crcKind {
		packet = packet[crcHeader:]
	}
	kinds := map[byte]bool{}
	if len(packet) < 2 {
		return kinds
	}
	count := int(packet[1])
	if packet[0] != compoundKind || len(packet) < 2+2*count {
		kinds[packet[0]] = true
		return kinds
	}
	lengths, parts := packet[2:2+2*count], packet[2+2*count:]
	for ; len(lengths) > 0; lengths = lengths[2:] {
		length := int(lengths[0])<<8 | int(lengths[1])
		if length == 0 || length > len(parts) {
			break
		}
		kinds[parts[0]] = true
		parts = parts[length:]
	}
	return kinds
}

// isGossip is whether a packet carries messages of the application, and none of a probe: what the
// application broadcasts travels by gossip and along with probes only.
func isGossip(packet []byte) bool {
	kinds := kindsOf(packet)
	for _, kind := range []byte{pingKind, indirectPingKind, ackKind, nackKind} {
		if kinds[kind] {
			return false
		}
	}
	return kinds[userKind]
}

func (t *traffic) count(packet []byte, addr string, gossip map[string]int, others *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if isGossip(packet) {
		gossip[addr]++
	} else {
		*others++
	}
}

func (t *traffic) WriteTo(packet []byte, addr string) (time.Time, error) {
	t.count(packet, addr, t.sent, &t.othersSent)
	return t.Transport.WriteTo(packet, addr)
}

func (t *traffic) PacketCh() <-chan *memberlist.Packet { return t.packets }

func (t *traffic) receive() {
	for packet := range t.Transport.PacketCh() {
		t.count(packet.Buf, packet.From.String(), t.received, &t.othersReceived)
		t.packets <- packet
	}
}

// take returns what was counted since the last call.
func (t *traffic) take() object {
	t.mu.Lock()
	defer t.mu.Unlock()
	counted := object{
		"sent": t.sent, "received": t.received,
		"others_sent": t.othersSent, "others_received": t.othersReceived,
	}
	t.sent, t.received = map[string]int{}, map[string]int{}
	t.othersSent, t.othersReceived = 0, 0
	return counted
}

func init() {
	zone := flag.String("zone", "", "the zone of this node")
	role := flag.String("role", "member", "member or bridge")
	extend = func(config *memberlist.Config, p *peer) error {
		roles := map[string]byte{"member": roleMember, "bridge": roleBridge}
		if roles[*role] == 0 || *zone == "" || len(*zone) > zoneMax {
			return fmt.Errorf("zone %q, role %q", *zone, *role)
		}
		r := &router{own: zoneInfo{role: roles[*role], zone: *zone}}
		rand.Seed(time.Now().UnixNano())
		p.prefix = r.own.encode()
		memberlist.Selection = r.selection
		if r.own.role == roleBridge {
			// With one, a zone could be cut off while gossip fails.
			memberlist.PushPullNodes = 2
		}
		transport, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{config.BindAddr},
			BindPort:  config.BindPort,
			Logger:    log.New(os.Stderr, "", log.LstdFlags),
		})
		if err != nil {
			return err
		}
		t := &traffic{Transport: transport, packets: make(chan *memberlist.Packet)}
		t.take()
		go t.receive()
		config.Transport = t
		commands["traffic"] = func(p *peer, rest, id string) error {
			p.emit("traffic", id, t.take())
			return nil
		}
		commands["zones"] = func(p *peer, rest, id string) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			p.emit("zones", id, object{
				"nodes": p.zones(), "choices": r.choices, "skipped": r.skipped,
			})
			return nil
		}
		commands["select"] = selectAmong
		return nil
	}
}

// zones is what this program reads in the metadata of each member.
func (p *peer) zones() []object {
	nodes := []object{}
	for _, node := range p.list.Members() {
		info := zoneOf(node.Meta)
		nodes = append(nodes, object{
			"name": node.Name, "zone": info.zone, "role": info.role,
			"addr": net.JoinHostPort(node.Addr.String(), fmt.Sprint(node.Port)),
		})
	}
	return nodes
}

// selectAmong applies the rules to nodes that the line describes, as the vectors have them.
func selectAmong(p *peer, rest, id string) error {
	var question struct {
		Role  byte   `json:"local_role"`
		Zone  string `json:"local_zone"`
		Nodes []struct {
			Name  string `json:"name"`
			Meta  string `json:"meta_hex"`
			State string `json:"state"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(rest), &question); err != nil {
		return err
	}
	states := map[string]memberlist.NodeStateType{
		"alive": memberlist.StateAlive, "suspect": memberlist.StateSuspect,
		"dead": memberlist.StateDead, "left": memberlist.StateLeft,
	}
	nodes := []memberlist.Candidate{}
	for _, node := range question.Nodes {
		meta, err := hex.DecodeString(node.Meta)
		if err != nil {
			return err
		}
		state, known := states[node.State]
		if !known {
			return fmt.Errorf("state %q", node.State)
		}
		nodes = append(nodes, memberlist.Candidate{Name: node.Name, Meta: meta, State: state})
	}
	own := zoneInfo{role: question.Role, zone: question.Zone}
	selected, bridges, skipped := own.choose(nodes)
	names := func(places []int) []string {
		found := []string{}
		for _, at := range places {
			found = append(found, nodes[at].Name)
		}
		return found
	}
	p.emit("select", id, object{
		"selected": names(selected), "preferred_one_of": names(bridges), "skipped": skipped,
	})
	return nil
}
