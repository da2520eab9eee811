// Inside does what tests ask for, in a container or beside one.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "say": // on both streams in turn, then what it was given
		for i := range 200 {
			fmt.Fprintf(os.Stdout, "out %d\n", i)
			fmt.Fprintf(os.Stderr, "err %d\n", i)
		}
	case "seen":
		in, _ := io.ReadAll(os.Stdin)
		dir, _ := os.Getwd()
		json.NewEncoder(os.Stdout).Encode(map[string]any{
			"env": os.Environ(), "dir": dir, "stdin": string(in), "cpus": runtime.NumCPU(), "uid": os.Getuid(),
		})
	case "exit":
		os.Exit(3)
	case "crash":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	case "work": // some processor time and memory
		block := make([]byte, 64<<20)
		for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
			for i := range block {
				block[i]++
			}
		}
	case "stay": // whatever it is told
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("here")
		time.Sleep(time.Hour)
	case "leave": // a child that goes on, in its session or (with "away") in one of its own
		child := exec.Command(os.Args[0], "stay")
		child.Stdout = os.Stdout
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: len(os.Args) > 2}
		if err := child.Start(); err != nil {
			fmt.Println(err)
		}
		fmt.Println(child.Process.Pid)
	case "orphan": // a grandchild that nobody waits for
		child := exec.Command(os.Args[0], "parent")
		child.Stdout = os.Stdout
		child.Run()
		time.Sleep(300 * time.Millisecond)
	case "parent":
		child := exec.Command(os.Args[0], "exit")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		child.Start()
		fmt.Println(child.Process.Pid)
	case "memory":
		var held [][]byte
		for {
			block := make([]byte, 16<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			held = append(held, block)
		}
	case "place":
		place()
	}
}

// place tells what a container lets through.
func place() {
	found := map[string]any{"pid1": first("/proc/1/cmdline"), "status": first("/proc/self/status")}
	listener, err := net.Listen("tcp", "localhost:0")
	found["loopback"] = fmt.Sprint(err)
	if err == nil {
		_, err = net.Dial("tcp", listener.Addr().String())
		found["loopback"] = fmt.Sprint(err)
	}
	_, err = net.DialTimeout("tcp", "192.0.2.1:80", time.Second)
	found["outside"] = fmt.Sprint(err)
	found["mount"] = fmt.Sprint(syscall.Mount("none", "/tmp", "tmpfs", 0, ""))
	found["mounts"] = first("/proc/self/mounts")
	info, err := os.Stat("/tmp")
	if err == nil {
		found["tmp"] = info.Mode().String()
	}
	entries, _ := os.ReadDir("/")
	var names []string
	for _, one := range entries {
		names = append(names, one.Name())
	}
	found["root"] = names
	found["hosts"] = first("/etc/hosts")
	json.NewEncoder(os.Stdout).Encode(found)
}

func first(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(data), "\x00", " ")
}
