package numbers

import (
	"sort"
	"strconv"
	"strings"
)

type pair struct{ key, count int }

// Parse reads numbers divided by commas.
func Parse(text string) ([]int32, error) {
	parts := strings.Split(text, ",")
	values := make([]int32, 0, len(parts))
	for _, part := range parts {
		value, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		values = append(values, int32(value))
	}
	return values, nil
}

// Common gives the values that are there most often.
func Common(values []int, limit int) []int {
	counts := map[int]int{}
	for _, value := range values {
		counts[value]++
	}
	pairs := make([]pair, 0, len(counts))
	for key, count := range counts {
		pairs = append(pairs, pair{key, count})
	}
	sort.Slice(pairs, func(i, j int) bool {
		if pairs[i].count != pairs[j].count {
			return pairs[i].count > pairs[j].count
		}
		return pairs[i].key < pairs[j].key
	})
	var result []int
	for at := 0; at < limit && at < len(pairs); at++ {
		result = append(result, pairs[at].key)
	}
	return result
}

// Kind says what a value is.
func Kind(value any) string {
	switch v := value.(type) {
	case nil:
		return "nothing"
	case int, int64:
		return "a number"
	case []byte:
		return "bytes: " + string(v)
	default:
		goto unknown
	}
unknown:
	return `something
else`
}
