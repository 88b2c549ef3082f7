package zyre

import "flag"

// The simulated tests obey these flags. Few seeds are enough to see that nothing is
// broken, and take long already under the race detector, which finds nothing in one
// goroutine; make sim runs many without it. The same holds for the depth: each step more
// takes eight times as long.
var (
	simSeed  = flag.Int64("sim.seed", 0, "run the simulated tests with this seed only")
	simDepth = flag.Int("sim.depth", 2, "go through all that can happen to two nodes in so many steps")
	simWraps = flag.Int("sim.wraps", 1, "let sequence numbers wrap so many times")
	simSeeds = flag.Int64("sim.seeds", 50, "run each simulated test with so many seeds")
)

// simEachSeed runs a test with every seed that is asked for. One of many cases takes its
// share of them, but one at least.
func simEachSeed(cases int64, test func(seed int64)) {
	if *simSeed != 0 {
		test(*simSeed)
		return
	}
	for seed := int64(1); seed <= (*simSeeds+cases-1)/cases; seed++ {
		test(seed)
	}
}
