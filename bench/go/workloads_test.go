// The workloads of the benchmarks on the Go library. Its functions are not public, so this is put beside
// a temporary copy of its sources; `golang.rs` does so and reads what is printed: a workload's name as in
// the table, a tab, and nanoseconds of processor time (garbage collection included) or bytes.
package memberlist

import (
	"bytes"
	"fmt"
	"io/ioutil"
	"math/rand"
	"net"
	"runtime"
	"sort"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const (
	workloadPort    = 7946
	workloadPackets = 1024
)

var workloadVsn = []uint8{1, 5, 2, 0, 0, 0}

// nowhere is a transport that sends nothing.
type nowhere struct{}

func (nowhere) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return memberIP(0), workloadPort, nil
}
func (nowhere) WriteTo([]byte, string) (time.Time, error)           { return time.Time{}, nil }
func (nowhere) WriteToAddress([]byte, Address) (time.Time, error)   { return time.Time{}, nil }
func (nowhere) PacketCh() <-chan *Packet                            { return nil }
func (nowhere) DialTimeout(string, time.Duration) (net.Conn, error) { return nil, nil }
func (nowhere) StreamCh() <-chan net.Conn                           { return nil }
func (nowhere) Shutdown() error                                     { return nil }
func (nowhere) IngestPacket(net.Conn, net.Addr, time.Time, bool) error {
	return nil
}
func (nowhere) IngestStream(net.Conn) error                                 { return nil }
func (nowhere) DialAddressTimeout(Address, time.Duration) (net.Conn, error) { return nil, nil }

// wire is a connection whose two directions are buffers.
type wire struct {
	net.Conn
	in, out *bytes.Buffer
}

func (w wire) Read(b []byte) (int, error)       { return w.in.Read(b) }
func (w wire) Write(b []byte) (int, error)      { return w.out.Write(b) }
func (w wire) SetDeadline(time.Time) error      { return nil }
func (w wire) SetReadDeadline(time.Time) error  { return nil }
func (w wire) SetWriteDeadline(time.Time) error { return nil }
func (w wire) RemoteAddr() net.Addr             { return memberAddr(1) }

func memberName(index int) string { return fmt.Sprintf("node-%06d", index) }

func memberIP(index int) net.IP {
	at := 0x0a000001 + index
	return net.IP{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)}
}

func memberAddr(index int) net.Addr {
	return &net.UDPAddr{IP: memberIP(index), Port: workloadPort}
}

func aliveOf(index int, incarnation uint32) *alive {
	return &alive{
		Incarnation: incarnation, Node: memberName(index), Addr: memberIP(index),
		Port: workloadPort, Vsn: workloadVsn,
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// still is a node whose goroutines have ended, so that only what is called here costs anything.
func still(index int) *Memberlist {
	config := DefaultLANConfig()
	config.Name = memberName(index)
	config.Transport = nowhere{}
	config.LogOutput = ioutil.Discard
	config.HandoffQueueDepth = 1 << 20
	before := runtime.NumGoroutine()
	m, err := newMemberlist(config)
	must(err)
	close(m.shutdownCh)
	for runtime.NumGoroutine() > before {
		time.Sleep(time.Millisecond)
	}
	return m
}

// knowing is one that knows so many, with nothing to gossip.
func knowing(size int) *Memberlist {
	m := still(0)
	must(m.setAlive())
	for index := 1; index < size; index++ {
		m.aliveNode(aliveOf(index, 1), nil, false)
	}
	m.broadcasts.Reset()
	return m
}

// take does what the goroutines do with a packet.
func take(m *Memberlist, packet []byte, from net.Addr) {
	m.ingestPacket(packet, from, time.Time{})
	for {
		message, ok := m.getNextMessage()
		if !ok {
			return
		}
		m.handleAlive(message.buf, message.from)
	}
}

func aliveCompound(about []int, incarnation uint32) []byte {
	var parts [][]byte
	for _, index := range about {
		part, err := encode(aliveMsg, aliveOf(index, incarnation))
		must(err)
		parts = append(parts, part.Bytes())
	}
	return makeCompoundMessage(parts).Bytes()
}

// fresh is about the members that the news number at is about, as on our side.
func fresh(size, at, count int) []byte {
	first := at * count
	var about []int
	for it := first; it < first+count; it++ {
		about = append(about, 1+it%(size-1))
	}
	return aliveCompound(about, uint32(first/(size-1)+3))
}

func cpu() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func show(workload string, figure float64) { fmt.Printf("%s\t%.1f\n", workload, figure) }

func middle(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

// each shows the median of rounds, for each call.
func each(workload string, calls int, call func(at int)) {
	var rounds []float64
	at := 0
	for round := 0; round < 8; round++ {
		before := cpu()
		for i := 0; i < calls; i++ {
			call(at)
			at++
		}
		if round > 0 {
			rounds = append(rounds, (cpu()-before)/float64(calls))
		}
	}
	show(workload, middle(rounds))
}

func codecs() {
	var buffer *bytes.Buffer
	message := aliveOf(77777, 3)
	each("CODEC encode alive", 20000, func(int) {
		var err error
		buffer, err = encode(aliveMsg, message)
		must(err)
	})
	each("CODEC decode alive", 20000, func(int) {
		var into alive
		must(decode(buffer.Bytes()[1:], &into))
	})
}

func packets(size int) {
	m, random := knowing(size), rand.New(rand.NewSource(3))
	var pings, known [][]byte
	var from []net.Addr
	for i := 0; i < workloadPackets; i++ {
		index := 1 + random.Intn(size-1)
		ping := ping{
			SeqNo: 77777, Node: memberName(0), SourceAddr: memberIP(index),
			SourcePort: workloadPort, SourceNode: memberName(index),
		}
		encoded, err := encode(pingMsg, &ping)
		must(err)
		var about []int
		for len(about) < 16 {
			about = append(about, 1+random.Intn(size-1))
		}
		pings, from = append(pings, encoded.Bytes()), append(from, memberAddr(index))
		known = append(known, aliveCompound(about, 1))
	}
	each(fmt.Sprint("PING ", size), 2048, func(at int) {
		take(m, pings[at%workloadPackets], from[at%workloadPackets])
	})
	each(fmt.Sprint("KNOWN(16) ", size), 1024, func(at int) {
		take(m, known[at%workloadPackets], from[at%workloadPackets])
	})
}

func news(size int) {
	m := knowing(size)
	var packets [][]byte
	for at := 0; at < 8*512; at++ {
		packets = append(packets, fresh(size, at, 16))
	}
	each(fmt.Sprint("NEWS(16) ", size), 512, func(at int) { take(m, packets[at], memberAddr(1)) })
	if m.nodeMap[memberName(1)].Incarnation < 3 || m.broadcasts.NumQueued() == 0 {
		panic("news that is not accepted")
	}
}

func ticks(size int) {
	m := knowing(size)
	each(fmt.Sprintf("TICK %d idle", size), 20000, func(int) { m.gossip() })
	for _, count := range []int{1, 16} {
		var all []float64
		for at := 0; at < 500; at++ {
			m.broadcasts.Reset()
			take(m, fresh(size, at+1000*count, count), memberAddr(1))
			before := time.Now()
			m.gossip()
			all = append(all, float64(time.Since(before)))
		}
		show(fmt.Sprintf("TICK %d, %d alive", size, count), middle(all))
	}
}

type note struct{ name, body string }

func (n note) Invalidates(other Broadcast) bool { return n.name == other.(note).name }
func (n note) Message() []byte                  { return []byte(n.body) }
func (n note) Finished()                        {}
func (n note) Name() string                     { return n.name }

func queues(size int) {
	queue := &TransmitLimitedQueue{RetransmitMult: 4, NumNodes: func() int { return size }}
	body := string(make([]byte, 60))
	for index := 0; index < size; index++ {
		queue.QueueBroadcast(note{memberName(index), body})
	}
	random := rand.New(rand.NewSource(3))
	each(fmt.Sprintf("QUEUE %d requeue", size), 4096, func(int) {
		queue.QueueBroadcast(note{memberName(random.Intn(size)), body})
	})
	each(fmt.Sprintf("QUEUE %d fill (20)", size), 64, func(int) { queue.GetBroadcasts(2, 20*62) })
}

// exchange is a full state exchange, byte for byte, and what the opener has used of it.
func exchange(opener, other *Memberlist, join bool) (both, opened float64) {
	there, back := new(bytes.Buffer), new(bytes.Buffer)
	one, two := wire{in: back, out: there}, wire{in: there, out: back}
	receive := func(m *Memberlist, conn wire) []pushNodeState {
		_, reader, decoder, err := m.readStream(conn)
		must(err)
		_, nodes, _, err := m.readRemoteState(reader, decoder)
		must(err)
		return nodes
	}
	begun := cpu()
	must(opener.sendLocalState(one, join))
	opened = cpu() - begun
	nodes := receive(other, two)
	must(other.sendLocalState(two, join))
	must(other.mergeRemoteState(join, nodes, nil))
	again := cpu()
	must(opener.mergeRemoteState(join, receive(opener, one), nil))
	return cpu() - begun, opened + cpu() - again
}

func exchanges(size int) {
	rounds := 5
	var first, unchanged, changed, joined []float64
	one, two := knowing(size), knowing(size)
	both, _ := exchange(one, two, false)
	first = append(first, both)
	for round := 0; round < rounds; round++ {
		both, _ := exchange(one, two, false)
		unchanged = append(unchanged, both)
		for index := 1; index <= size/100; index++ {
			one.aliveNode(aliveOf(1+(round*size/100+index)%(size-2), uint32(round+2)), nil, false)
		}
		one.broadcasts.Reset()
		both, _ = exchange(one, two, false)
		changed = append(changed, both)
		fresh := still(size + 1)
		must(fresh.setAlive())
		_, opened := exchange(fresh, knowing(size), true)
		if len(fresh.nodes) != size+1 {
			panic("a join that brought not all")
		}
		joined = append(joined, opened)
	}
	show(fmt.Sprintf("PUSHPULL %d unchanged", size), middle(unchanged))
	show(fmt.Sprintf("PUSHPULL %d 1 %% changed", size), middle(changed))
	show(fmt.Sprintf("PUSHPULL %d first", size), middle(first))
	show(fmt.Sprintf("JOIN %d, the joiner", size), middle(joined))
}

// memory learned by gossip and passed on: all but the newest of several queues' worth.
func memory(size int) {
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return float64(stats.HeapAlloc)
	}
	m := still(0)
	must(m.setAlive())
	before := heap()
	for index := 1; index <= size; index++ {
		encoded, err := encode(aliveMsg, aliveOf(index, 1))
		must(err)
		take(m, encoded.Bytes(), memberAddr(1))
	}
	for m.broadcasts.NumQueued() > 0 {
		m.gossip()
	}
	show("MEM by gossip, "+strconv.Itoa(size), (heap()-before)/float64(size))
	runtime.KeepAlive(m)
}

func TestWorkloads(t *testing.T) {
	memory(10000)
	codecs()
	for _, size := range []int{1000, 10000, 100000} {
		packets(size)
		queues(size)
	}
	news(10000)
	ticks(10000)
	for _, size := range []int{1000, 10000, 100000} {
		exchanges(size)
	}
}
