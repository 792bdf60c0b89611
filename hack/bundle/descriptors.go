// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

const (
	ui         = "urn:alm:descriptor:com.tectonic.ui:"
	kubernetes = "urn:alm:descriptor:io.kubernetes"
)

// whole are fields whose type is Kubernetes' own: they are described as one.
var whole = map[string]string{
	"resources":           ui + "resourceRequirements",
	"volumeClaimTemplate": "",
	"env":                 "",
	"tolerations":         "",
	"nodeSelector":        ui + "selector:core:v1:Node",
	"podTemplate":         "",
	"imagePullSecrets":    "",
	"conditions":          kubernetes + ".conditions",
}

// special are fields that the console can show as more than their type says.
var special = map[string][]string{
	"serviceAccountName":                       {kubernetes + ":ServiceAccount"},
	"sessionManager.storage.existingClaim":     {kubernetes + ":PersistentVolumeClaim"},
	"sessionManager.storage.uriSecretRef.name": {kubernetes + ":Secret"},
	"executorManager.replicas":                 {ui + "podCount"},
	"objectCache.replicas":                     {ui + "podCount"},
	"executorManager.ready":                    {ui + "podCount"},
	"executorManager.updated":                  {ui + "podCount"},
	"executorManager.desired":                  {ui + "podCount"},
	"executorManager.busy":                     {ui + "podCount"},
	"executorManager.draining":                 {ui + "podCount"},
	"autoscaling.desiredReplicas":              {ui + "podCount"},
	// The peaks are autoscaling's own memory, and the console has no way to show a list
	// of objects.
	"autoscaling.peaks": {ui + "hidden"},
	// The condition has the blocked sessions in words.
	"load.blocked": {ui + "hidden"},
	"state":        {kubernetes + ".phase"},
	"message":      {kubernetes + ".phase:reason"},
}

// titles are names that the words of a field's JSON name do not make.
var titles = map[string]string{
	"cpu": "CPU", "gpu": "GPU", "uriSecretRef": "Storage URI from a Secret", "maxExecutors": "Executors per Executor Manager",
	"scheduleIntervalMilliseconds": "Schedule Interval (milliseconds)", "scaleDownDelaySeconds": "Scale-Down Delay (seconds)",
	"drainTimeoutSeconds": "Drain Timeout (seconds)",
	"maxStarting":         "Executor Managers Starting at Once", "env": "Environment Variables",
}

// descriptors returns the descriptors of every field below a schema, in the order of
// their paths.
func descriptors(part, path string, schema map[string]any) []any {
	var list []any
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		field := properties[name].(map[string]any)
		at := strings.TrimPrefix(path+"."+name, ".")
		descriptor := map[string]any{
			"path":        at,
			"displayName": title(name),
			"description": fmt.Sprint(field["description"]),
		}
		if found := hints(part, at, name, field); len(found) > 0 {
			descriptor["x-descriptors"] = found
		}
		list = append(list, descriptor)
		if _, ok := whole[name]; !ok {
			list = append(list, descriptors(part, at, field)...)
		}
	}
	return list
}

// hints are the x-descriptors of a field.
func hints(part, path, name string, field map[string]any) []any {
	var list []any
	known, ok := special[path]
	if hint, isWhole := whole[name]; !ok && isWhole {
		if hint != "" {
			known = []string{hint}
		}
	} else if !ok {
		known = byType(part, field)
	}
	for _, hint := range known {
		list = append(list, hint)
	}
	if part == "spec" && strings.Contains(path, ".") && name != "image" && name != "replicas" {
		list = append(list, ui+"advanced")
	}
	return list
}

// byType are the x-descriptors that follow from a field's type.
func byType(part string, field map[string]any) []string {
	if values, ok := field["enum"].([]any); ok {
		var list []string
		for _, value := range values {
			list = append(list, ui+"select:"+fmt.Sprint(value))
		}
		return list
	}
	kind := field["type"]
	switch {
	case kind == "object":
		return nil
	case part == "status":
		return []string{"urn:alm:descriptor:text"}
	case kind == "boolean":
		return []string{ui + "booleanSwitch"}
	case kind == "integer":
		return []string{ui + "number"}
	}
	return []string{ui + "text"}
}

// title makes words of a JSON name: sessionManager becomes Session Manager.
func title(name string) string {
	if known, ok := titles[name]; ok {
		return known
	}
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		if i == 0 {
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}
