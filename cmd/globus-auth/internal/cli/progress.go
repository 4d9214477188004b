package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progressAfter is how long work takes before a bar is worth showing.
const progressAfter = time.Second

// progress is a bar for long work. A nil one does nothing.
type progress struct {
	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	out   io.Writer
	total int // 0: not known
	steps int
	shown bool
	timer *time.Timer
}

// newProgress returns a bar for so many steps; 0 means that it is not known.
func newProgress(out io.Writer, total int) *progress {
	p := &progress{out: out, total: total}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(p), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // else it has a goroutine of its own
	}
	if total == 0 {
		total = -1
		options = append(options, progressbar.OptionSetDescription(p.text()))
	} else {
		options = append(options, progressbar.OptionSetDescription("looked up"), progressbar.OptionShowCount())
	}
	p.bar = progressbar.NewOptions(total, options...)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(progressAfter, p.show)
	return p
}

func (p *progress) text() string { return fmt.Sprintf("looked up %d keys", p.steps) }

// Write is for the bar, which is held back until it is shown. Called with mu held.
func (p *progress) Write(text []byte) (int, error) {
	if !p.shown {
		return len(text), nil
	}
	return p.out.Write(text)
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.shown = true
		_ = p.bar.RenderBlank()
	}
}

// step counts one.
func (p *progress) step() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps++
	if p.total == 0 && p.shown {
		p.bar.Describe(p.text())
	}
	_ = p.bar.Add(1)
}

// clear makes room for a line that is written where the bar is.
func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		_ = p.bar.Clear()
	}
}

// end takes the bar away.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.timer, p.shown = nil, false
}
