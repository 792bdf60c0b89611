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
	"state":                                    {kubernetes + ".phase"},
	"message":                                  {kubernetes + ".phase:reason"},
}

// titles are names that the words of a field's JSON name do not make.
var titles = map[string]string{
	"cpu": "CPU", "gpu": "GPU", "uriSecretRef": "Storage URI from a Secret", "maxExecutors": "Executors per Executor Manager",
	"scheduleIntervalMilliseconds": "Schedule Interval (milliseconds)", "env": "Environment Variables",
}

// descriptors returns those of every field below a schema, in the order of their paths.
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
	known := special[path]
	switch hint, ok := whole[name]; {
	case known != nil:
	case ok && hint == "":
	case ok:
		known = []string{hint}
	case field["enum"] != nil:
		for _, value := range field["enum"].([]any) {
			known = append(known, ui+"select:"+fmt.Sprint(value))
		}
	case field["type"] == "boolean" && part == "spec":
		known = []string{ui + "booleanSwitch"}
	case field["type"] == "integer" && part == "spec":
		known = []string{ui + "number"}
	case field["type"] == "object":
	case part == "spec":
		known = []string{ui + "text"}
	default:
		known = []string{"urn:alm:descriptor:text"}
	}
	if part == "spec" && strings.Count(path, ".") > 0 && name != "image" && name != "replicas" {
		known = append(slices.Clone(known), ui+"advanced")
	}
	var list []any
	for _, hint := range known {
		list = append(list, hint)
	}
	return list
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
