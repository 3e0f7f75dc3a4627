package browser

import (
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

func TestMain(m *testing.M) { bed.Main(m) }
