// Environment prints what a program sees that is started as a cell's benchmarks are: its variables, what the
// runtime made of them, and what debug.ReadBuildInfo says of the program itself. One JSON object.
//
// It must compile with every release since Go 1.21.
package main

import (
	"encoding/json"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

type seen struct {
	Version     string            `json:"version"`
	GOOS        string            `json:"goos"`
	GOARCH      string            `json:"goarch"`
	CPUs        int               `json:"cpus"`
	GOMAXPROCS  int               `json:"gomaxprocs"`
	GCPercent   int               `json:"gc_percent"`
	MemoryLimit int64             `json:"memory_limit"`
	Variables   map[string]string `json:"variables"`
	Build       map[string]string `json:"build"`
}

func main() {
	found := seen{
		Version:     runtime.Version(),
		GOOS:        runtime.GOOS,
		GOARCH:      runtime.GOARCH,
		CPUs:        runtime.NumCPU(),
		GOMAXPROCS:  runtime.GOMAXPROCS(0),
		GCPercent:   debug.SetGCPercent(-1),
		MemoryLimit: debug.SetMemoryLimit(-1),
		Variables:   map[string]string{},
		Build:       map[string]string{},
	}
	if found.MemoryLimit == math.MaxInt64 {
		found.MemoryLimit = 0 // none
	}
	for _, one := range os.Environ() {
		if name, value, ok := strings.Cut(one, "="); ok && name != "" {
			found.Variables[name] = value
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, one := range info.Settings {
			found.Build[one.Key] = one.Value
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		os.Exit(1)
	}
}
