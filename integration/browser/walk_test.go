package browser

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hal0-dev/hal0/integration/bed"
)

const config = `
route:
  models:
    primary: {engine: demo, memory: 64MiB, args: "--load,1500ms"}
    spare: {engine: demo, memory: 64MiB, aliases: gpt-4o-mini}
`

// Bar 1 of what people see: a cold slot is loaded, chats, loses its engine in the
// middle of an answer, says so, recovers, and is unloaded.
func TestDashboardIsWalked(t *testing.T) {
	for _, s := range []screen{
		{name: "desktop", width: 1280, height: 900},
		{name: "phone", width: 390, height: 844, phone: true, dark: true},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			sidecar := bed.NewSidecar(t, config).Start()
			walk(t, sidecar, open(t, s, sidecar.ControlURL()+"/"))
		})
	}
}

// primary is the card of the slot, and state an expression that is true in one.
const primary = `document.querySelector('[aria-label="Load primary"]').closest('li')`

func state(name string) string {
	return fmt.Sprintf(`%s.querySelector('[data-state]').textContent === %q`, primary, name)
}

func walk(t *testing.T, s *bed.Sidecar, p *page) {
	p.await("the slots are there", `document.querySelectorAll('.slot').length === 2 && `+state("offline"))
	p.await("the memory is there", `document.querySelector('.meter') !== null`)
	p.shot("1-cold")
	p.accessible("the board")

	p.do("watch the bar", chromedp.Evaluate(`new MutationObserver((_, o) => {
		if (!`+primary+`.querySelector('[data-progress]').hidden) { window.sawBar = true; o.disconnect(); }
	}).observe(`+primary+`, { subtree: true, attributes: true, attributeFilter: ['hidden'] }); 0`, nil))
	p.click(`[aria-label="Load primary"]`)
	p.await("the load shows how far it is", `window.sawBar`)
	p.shot("2-loading")
	p.await("it is up", state("ready"))

	p.click(`[aria-label="Pin primary"]`)
	p.await("the pin is shown", primary+`.textContent.includes('by hand')`)
	p.click(`[aria-label="Chat primary"]`)
	ask(p, "Count to 900.")
	p.await("the answer streams", said(`.includes('five')`))
	p.shot("3-chat")
	p.accessible("the chat")
	if err := syscall.Kill(s.Slot("primary").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.await("the error is told", `document.querySelector('.envelope')?.textContent.includes('slot.crashed')`)
	p.shot("4-envelope")
	p.accessible("the error")

	ask(p, "Count to three.")
	p.await("it has recovered", said(`.trim() === 'one two three'`)+` && document.querySelector('#chat-stop').hidden`)
	p.shot("5-recovered")
	p.click(`#chat [data-close]`)
	p.await("the requests are listed", `document.querySelectorAll('#requests tbody tr').length === 2`)
	p.click(`[aria-label="Log primary"]`)
	p.await("the log is there", `document.querySelector('#logs-lines').textContent.length > 0`)
	p.shot("6-log")
	p.accessible("the log")
	p.click(`#logs [data-close]`)
	p.click(`[aria-label="Unload primary"]`)
	p.await("it is gone, and nothing is wrong any more", state("offline")+` && `+primary+`.querySelector('[data-error]').hidden`)
	p.shot("7-unloaded")
	p.do("look at the rest", chromedp.Evaluate(`window.scrollTo(0, document.body.scrollHeight)`, nil))
	p.shot("8-requests")
	p.accessible("the requests")
	p.await("nothing is wider than the screen", `document.documentElement.scrollWidth <= window.innerWidth`)
	p.quiet()
}

// said is an expression about the last answer's text.
func said(is string) string {
	return `([...document.querySelectorAll('.said:not(.me)')].at(-1)?.textContent ?? '')` + is
}

func ask(p *page, text string) {
	p.t.Helper()
	p.do("send "+text, chromedp.SendKeys("#chat-text", text, chromedp.ByQuery), chromedp.Click("#chat-send", chromedp.ByQuery))
}
