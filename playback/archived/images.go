package archived

import (
	model "weir/internal/awsapi/kvarchived"
	"weir/internal/awsserve"
)

// getImages refuses: this server decodes no pictures.
func (a *API) getImages(c *awsserve.Call, in *model.GetImagesInput) (*model.GetImagesOutput, error) {
	if _, _, err := a.openKept(c, in.StreamName, in.StreamARN); err != nil {
		return nil, err
	}
	return nil, invalid("This server does not decode pictures. Fetch the range with GetClip, and take the images from the clip.")
}
