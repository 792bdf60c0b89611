// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"html"

	"github.com/xflops/flame-operator/internal/autoscale/simulator"
)

// The picture is two panels above each other, with one axis of time.
const (
	width, height = 920, 560
	left, right   = 64, 24
	innerWidth    = width - left - right
	panelHeight   = 180
	tasksTop      = 84
	managersTop   = 334
)

const (
	ink, faint      = "#24292f", "#6e7781"
	grid            = "#d8dee4"
	waiting, busy   = "#f0b35f", "#3d7dd8"
	ready, desired  = "#8ccf9b", "#1f2d3d"
	bound, darkness = "#c4432b", "#eaeef2"
)

// draw returns the picture of a simulation as SVG.
func draw(script simulator.Script, samples []simulator.Sample) []byte {
	c := &canvas{samples: samples}
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="%s">`,
		width, height, width, height, ink)
	c.printf(`<title>%s</title>`, html.EscapeString(script.Title))
	c.printf(`<rect width="%d" height="%d" fill="#ffffff"/>`, width, height)
	c.printf(`<text x="%d" y="30" font-size="16" font-weight="bold">%s</text>`, left, html.EscapeString(script.Title))
	c.silence()

	tasks := c.panel(tasksTop, "tasks", c.most(func(s simulator.Sample) int { return s.Pending + s.Running }))
	c.area(tasks, waiting, func(s simulator.Sample) int { return s.Pending + s.Running })
	c.area(tasks, busy, func(s simulator.Sample) int { return s.Running })
	c.frame(tasks)
	c.legend(tasks, item{waiting, "waiting", false}, item{busy, "running", false})

	managers := c.panel(managersTop, "executor managers", c.most(func(s simulator.Sample) int { return max(s.Ready, s.Desired) }))
	c.area(managers, ready, func(s simulator.Sample) int { return s.Ready })
	c.frame(managers)
	c.maximum(managers, script.Cluster.MaxReplicas)
	c.step(managers, desired, func(s simulator.Sample) int { return s.Desired })
	c.legend(managers, item{ready, "ready", false}, item{desired, "desired", true})
	c.time(managers)
	c.printf(`</svg>`)
	return c.Bytes()
}

// canvas is the SVG as it grows.
type canvas struct {
	bytes.Buffer
	samples []simulator.Sample
}

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

// panel is a part of the picture with a scale of its own.
type panel struct {
	top, step, highest int
	unit               string
}

// panel makes a scale of round steps with room for the highest value.
func (c *canvas) panel(top int, unit string, highest int) panel {
	step := 1
	for _, factor := range []int{2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000} {
		if highest <= step*5 {
			break
		}
		step = factor
	}
	return panel{top: top, step: step, highest: max(step, (highest+step-1)/step*step), unit: unit}
}

func (c *canvas) most(value func(simulator.Sample) int) int {
	most := 0
	for _, s := range c.samples {
		most = max(most, value(s))
	}
	return most
}

func (c *canvas) x(second int) float64 {
	return left + float64(innerWidth)*float64(second)/float64(max(1, len(c.samples)-1))
}

func (p panel) y(value int) float64 {
	return float64(p.top+panelHeight) - float64(panelHeight)*float64(value)/float64(p.highest)
}

// path is a line of steps: it has a corner only where the value changes.
func (c *canvas) path(p panel, value func(simulator.Sample) int) string {
	var b bytes.Buffer
	before := value(c.samples[0])
	fmt.Fprintf(&b, "M%.1f %.1f", c.x(0), p.y(before))
	for i, s := range c.samples {
		if v := value(s); v != before {
			fmt.Fprintf(&b, "H%.1fV%.1f", c.x(i), p.y(v))
			before = v
		}
	}
	fmt.Fprintf(&b, "H%.1f", c.x(len(c.samples)-1))
	return b.String()
}

func (c *canvas) area(p panel, color string, value func(simulator.Sample) int) {
	c.printf(`<path d="%sV%dH%dZ" fill="%s"/>`, c.path(p, value), p.top+panelHeight, left, color)
}

func (c *canvas) step(p panel, color string, value func(simulator.Sample) int) {
	c.printf(`<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`, c.path(p, value), color)
}

// frame draws the scale of a panel over its areas, which would hide it.
func (c *canvas) frame(p panel) {
	for value := 0; value <= p.highest; value += p.step {
		color, opacity := grid, "0.8"
		if value == 0 {
			color, opacity = faint, "1"
		}
		c.printf(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-opacity="%s"/>`, left, width-right, p.y(value), p.y(value), color, opacity)
		c.printf(`<text x="%d" y="%.1f" text-anchor="end" fill="%s">%d</text>`, left-8, p.y(value)+4, faint, value)
	}
	c.printf(`<text x="%d" y="%d" font-weight="bold">%s</text>`, left, p.top-14, p.unit)
}

// item is an entry of a legend: a patch, or a line.
type item struct {
	color, text string
	line        bool
}

func (c *canvas) legend(p panel, items ...item) {
	at := left + 160
	for _, i := range items {
		size := 12
		if i.line {
			size = 3
		}
		c.printf(`<rect x="%d" y="%d" width="18" height="%d" fill="%s"/>`, at, p.top-18-size/2, size, i.color)
		c.printf(`<text x="%d" y="%d">%s</text>`, at+24, p.top-14, i.text)
		at += 110
	}
}

// maximum draws the bound that a cluster starts with.
func (c *canvas) maximum(p panel, value int) {
	if value > p.highest {
		return
	}
	c.printf(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="5 4"/>`, left, width-right, p.y(value), p.y(value), bound)
	c.printf(`<text x="%d" y="%.1f" text-anchor="end" fill="%s">maxReplicas</text>`, width-right, p.y(value)-5, bound)
}

// silence shades the times in which Flame says nothing.
func (c *canvas) silence() {
	from := -1
	for i, s := range c.samples {
		switch {
		case s.Silent && from < 0:
			from = i
		case from >= 0 && (!s.Silent || i == len(c.samples)-1):
			c.printf(`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, c.x(from), tasksTop, c.x(i)-c.x(from), managersTop+panelHeight-tasksTop, darkness)
			c.printf(`<text x="%.1f" y="%d" text-anchor="middle" fill="%s">Flame silent</text>`, (c.x(from)+c.x(i))/2, tasksTop+16, faint)
			from = -1
		}
	}
}

// time draws the axis of time in minutes, with some ten marks.
func (c *canvas) time(p panel) {
	minutes := (len(c.samples) - 1) / 60
	step := 1
	for _, factor := range []int{2, 5, 10, 20, 30, 60, 120} {
		if minutes <= step*12 {
			break
		}
		step = factor
	}
	for minute := 0; minute <= minutes; minute += step {
		x := c.x(minute * 60)
		c.printf(`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s"/>`, x, x, p.top+panelHeight, p.top+panelHeight+5, faint)
		c.printf(`<text x="%.1f" y="%d" text-anchor="middle" fill="%s">%d</text>`, x, p.top+panelHeight+20, faint, minute)
	}
	c.printf(`<text x="%d" y="%d" text-anchor="middle">minutes</text>`, left+innerWidth/2, p.top+panelHeight+38)
}
