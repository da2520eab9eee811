// Attendant is the first process of a container in which a cell is tested and measured. It does what it is asked
// on its standard input and answers on its standard output; when its input ends it exits, and with it ends
// everything in the container.
//
// A request is a length (4 bytes, big endian) and that much JSON. An answer is any number of frames of output and
// one that ends it; a frame is a kind (1 byte), a length (4 bytes, big endian) and that much content:
//
//	o, e  standard output and standard error of a program, or the content of a file (o)
//	.     the end, as JSON
//
// One request is answered at a time, except for "end", which ends the program that runs and has no answer of its
// own. It must compile with every release since Go 1.21.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	grace    = 5 * time.Second
	maxFrame = 1 << 28
)

type request struct {
	Op      string   `json:"op"`
	Argv    []string `json:"argv"`
	Env     []string `json:"env"`
	Dir     string   `json:"dir"`
	Stdin   []byte   `json:"stdin"`
	Merge   bool     `json:"merge"`
	CPUs    []int    `json:"cpus"`
	Seconds float64  `json:"seconds"` // what a program may take
	Path    string   `json:"path"`
	Data    []byte   `json:"data"`
}

type answer struct {
	Error    string  `json:"error"`
	Missing  bool    `json:"missing"`   // because there is no such file
	Status   int     `json:"status"`    // exit status, or the negative number of the signal
	Seconds  float64 `json:"seconds"`   // wall time
	CPU      float64 `json:"cpu"`       // seconds, user and system, with all children that were waited for
	RSS      int64   `json:"rss"`       // bytes
	TimedOut bool    `json:"timed_out"` // its time was up
	Free     uint64  `json:"free"`      // bytes on the disk of a path
}

type ended struct {
	status syscall.WaitStatus
	usage  syscall.Rusage
	at     time.Time
}

var (
	out struct { // one frame at a time
		sync.Mutex
	}
	children struct {
		sync.Mutex
		waiting map[int]chan ended
	}
	stop = make(chan struct{}, 1)
)

func main() {
	children.waiting = map[int]chan ended{}
	gone := make(chan os.Signal, 1)
	signal.Notify(gone, syscall.SIGCHLD)
	go reap(gone)
	in := bufio.NewReader(os.Stdin)
	for {
		var asked request
		if err := receive(in, &asked); err != nil {
			os.Exit(0) // nobody is there any more
		}
		switch asked.Op {
		case "end":
			select {
			case stop <- struct{}{}:
			default:
			}
		case "run":
			select { // meant for a program that had ended by itself
			case <-stop:
			default:
			}
			go func() { finish(run(&asked)) }()
		default:
			finish(handle(&asked))
		}
	}
}

func receive(in io.Reader, asked *request) error {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return errors.New("too large")
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return err
	}
	return json.Unmarshal(data, asked)
}

func send(kind byte, data []byte) {
	frame := make([]byte, 5+len(data))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(data)))
	copy(frame[5:], data)
	out.Lock()
	defer out.Unlock()
	if _, err := os.Stdout.Write(frame); err != nil {
		os.Exit(0)
	}
}

func finish(done answer) {
	data, err := json.Marshal(done)
	if err != nil {
		panic(err)
	}
	send('.', data)
}

func failed(err error) answer {
	if err == nil {
		return answer{}
	}
	return answer{Error: err.Error(), Missing: errors.Is(err, fs.ErrNotExist)}
}

func handle(asked *request) answer {
	switch asked.Op {
	case "make":
		return failed(os.MkdirAll(asked.Path, 0o755))
	case "write":
		return failed(os.WriteFile(asked.Path, asked.Data, 0o644))
	case "remove":
		return failed(os.RemoveAll(asked.Path))
	case "stat":
		_, err := os.Stat(asked.Path)
		return failed(err)
	case "room":
		var found syscall.Statfs_t
		if err := syscall.Statfs(asked.Path, &found); err != nil {
			return failed(err)
		}
		return answer{Free: found.Bavail * uint64(found.Bsize)}
	case "read":
		file, err := os.Open(asked.Path)
		if err != nil {
			return failed(err)
		}
		defer file.Close()
		return failed(forward('o', file))
	}
	return answer{Error: fmt.Sprintf("no such request: %q", asked.Op)}
}

func forward(kind byte, from io.Reader) error {
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			send(kind, buffer[:n])
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reap waits for every process that ends: those that were started here, and the orphans of theirs.
func reap(gone <-chan os.Signal) {
	for range gone {
		for {
			var one ended
			pid, err := syscall.Wait4(-1, &one.status, syscall.WNOHANG, &one.usage)
			if err == syscall.EINTR {
				continue
			}
			if err != nil || pid <= 0 {
				break
			}
			one.at = time.Now()
			children.Lock()
			waits := children.waiting[pid]
			delete(children.waiting, pid)
			children.Unlock()
			if waits != nil {
				waits <- one
			}
		}
	}
}

type pipe struct{ read, write *os.File }

func newPipe() (pipe, error) {
	read, write, err := os.Pipe()
	return pipe{read, write}, err
}

func (p pipe) close() {
	if p.read != nil {
		p.read.Close()
		p.write.Close()
	}
}

func run(asked *request) answer {
	var in, stdout, stderr pipe
	defer func() { in.close(); stdout.close(); stderr.close() }()
	var err error
	if in, err = newPipe(); err != nil {
		return failed(err)
	}
	if stdout, err = newPipe(); err != nil {
		return failed(err)
	}
	second := stdout.write
	if !asked.Merge {
		if stderr, err = newPipe(); err != nil {
			return failed(err)
		}
		second = stderr.write
	}
	started := time.Now()
	pid, waits, err := start(asked, in.read, stdout.write, second)
	if err != nil {
		return failed(err)
	}
	var pumps sync.WaitGroup
	pump := func(kind byte, from *os.File) {
		pumps.Add(1)
		go func() {
			defer pumps.Done()
			forward(kind, from)
		}()
	}
	stdout.write.Close()
	pump('o', stdout.read)
	if !asked.Merge {
		stderr.write.Close()
		pump('e', stderr.read)
	}
	in.read.Close()
	go func() {
		in.write.Write(asked.Stdin)
		in.write.Close()
	}()
	done, timedOut := await(pid, waits, time.Duration(asked.Seconds*float64(time.Second)))
	syscall.Kill(-pid, syscall.SIGKILL) // what it left behind
	drained := make(chan struct{})
	go func() { pumps.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(grace): // a process that left the session holds the pipe
		stdout.read.Close()
		if !asked.Merge {
			stderr.read.Close()
		}
		<-drained
	}
	status := done.status.ExitStatus()
	if done.status.Signaled() {
		status = -int(done.status.Signal())
	}
	return answer{
		Status:   status,
		Seconds:  done.at.Sub(started).Seconds(),
		CPU:      seconds(done.usage.Utime) + seconds(done.usage.Stime),
		RSS:      int64(done.usage.Maxrss) * 1024,
		TimedOut: timedOut,
	}
}

func seconds(t syscall.Timeval) float64 {
	return time.Duration(t.Nano()).Seconds()
}

// start starts a program in a session of its own, on the CPUs that were asked for.
func start(asked *request, in, out, err *os.File) (int, chan ended, error) {
	if len(asked.CPUs) > 0 {
		restore, failure := pin(asked.CPUs)
		if failure != nil {
			return 0, nil, failure
		}
		defer restore()
	}
	attributes := &syscall.ProcAttr{
		Dir:   asked.Dir,
		Env:   asked.Env,
		Files: []uintptr{in.Fd(), out.Fd(), err.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	waits := make(chan ended, 1)
	children.Lock() // so that reap finds it however soon it ends
	defer children.Unlock()
	pid, failure := syscall.ForkExec(asked.Argv[0], asked.Argv, attributes)
	if failure != nil {
		return 0, nil, &fs.PathError{Op: "start", Path: asked.Argv[0], Err: failure}
	}
	children.waiting[pid] = waits
	return pid, waits, nil
}

// await waits for a program and ends its session when its time is up or it is told to.
func await(pid int, waits chan ended, limit time.Duration) (ended, bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	timedOut := false
	select {
	case done := <-waits:
		return done, false
	case <-stop:
	case <-timer.C:
		timedOut = true
	}
	syscall.Kill(-pid, syscall.SIGTERM)
	select {
	case done := <-waits:
		return done, timedOut
	case <-time.After(grace):
	}
	syscall.Kill(-pid, syscall.SIGKILL)
	return <-waits, timedOut
}

type cpuSet [1024 / 64]uint64

func (s *cpuSet) call(number uintptr) error {
	_, _, errno := syscall.RawSyscall(number, 0, unsafe.Sizeof(*s), uintptr(unsafe.Pointer(s)))
	if errno != 0 {
		return errno
	}
	return nil
}

// pin holds this thread, and with it what it starts, to cpus; the caller gives it back.
func pin(cpus []int) (func(), error) {
	runtime.LockOSThread()
	var before, wanted cpuSet
	err := before.call(syscall.SYS_SCHED_GETAFFINITY)
	for _, cpu := range cpus {
		// Asked before it is done: the system would quietly leave out what does not exist.
		if cpu < 0 || cpu >= 1024 || before[cpu/64]&(1<<(cpu%64)) == 0 {
			err = errors.Join(err, fmt.Errorf("there is no CPU %d to be pinned to", cpu))
			continue
		}
		wanted[cpu/64] |= 1 << (cpu % 64)
	}
	if err == nil {
		err = wanted.call(syscall.SYS_SCHED_SETAFFINITY)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return func() {
		if before.call(syscall.SYS_SCHED_SETAFFINITY) == nil {
			runtime.UnlockOSThread()
		} // otherwise the thread ends with its goroutine
	}, nil
}
