package cli
import "github.com/spf13/cobra"
func (r *runner) quickstart() *cobra.Command { return &cobra.Command{Use:"quickstart"} }
func (r *runner) emulator() *cobra.Command { return &cobra.Command{Use:"emulator"} }
